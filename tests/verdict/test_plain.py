"""What others say is shown short and harmless wherever it is shown; what cannot work is refused before any work."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import oracle
from oracle.auditing import run, workers
from oracle.auditing.records import header, read_records
from oracle.auditing.words import three_lines
from oracle.cases import selection
from oracle.checking.checked import Report
from oracle.cli import app
from oracle.report import digest, html, junit, markdown
from oracle.verdict.compare import Finding, Verdict
from oracle.verdict.plain import plain
from oracle.verdict.record import Record, summarized
from tests import runs

FOREIGN = "\x1b[31mred \u202edesrever\x9b2J \u2066 bell\x07"
HEAD = header(["oracle", "audit"], "cpu")


def _harmless(text: str) -> bool:
    return not {c for c in text if not c.isprintable()} - {"\n"}


def _main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["oracle", *arguments])
    with pytest.raises(SystemExit) as end:
        app.main()
    return int(end.value.code or 0)


def _crashed(note: str, case: str = "mse_loss/float32/default") -> Record:
    return summarized(case, "mse_loss", "float32", "torch:eager", [Finding("", Verdict.CRASHED, note=note)])


def _read(tmp_path: Path, record: Record) -> digest.Digest:
    """A run of one record, written by whoever wrote it."""
    (tmp_path / "records.jsonl").write_text(f"{json.dumps(HEAD)}\n{record.to_json()}\n", encoding="utf-8")
    return digest.read(tmp_path)


@pytest.mark.parametrize("length", [30_000, 100_000, 10**7])
def test_a_long_message_is_cut_and_what_stands_beside_it_is_shown(tmp_path: Path, length: int) -> None:
    page = markdown.render(_read(tmp_path, _crashed("x" * length)))
    assert "CRASHED torch:eager on mse_loss/float32/default: xxx" in page
    assert f"… ({length} characters)" in page
    assert "Script" in page
    long = replace(_crashed(""), note="x" * length)  # as an older version wrote it
    assert f"… ({length} characters)" in markdown.render(_read(tmp_path, long))


def test_a_script_that_has_no_room_is_left_to_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(markdown, "_LONGEST_SCRIPT", 100)
    page = markdown.render(_read(tmp_path, _crashed("ends")))
    assert "CRASHED torch:eager on mse_loss/float32/default: ends" in page
    assert "characters: `oracle explain 'mse_loss/float32/default' --target torch:eager` prints it" in page


@pytest.fixture(scope="module")
def checked() -> Report:
    def raises(input: Any, target: Any) -> Any:
        print(FOREIGN * 100)
        raise RuntimeError(FOREIGN + "x" * 100_000)

    raises.__qualname__ = f"raises{FOREIGN}\nimport os"
    return oracle.check("mse_loss", raises, framework="numpy", dtypes=["float32"])


def test_a_report_for_the_terminal_is_short_and_harmless(checked: Report) -> None:
    assert _harmless(str(checked))
    assert len(str(checked)) < 20_000
    assert r"\x1b[31mred \u202edesrever\x9b2J" in str(checked)
    assert "characters)" in str(checked)
    assert _harmless(checked.to_json())


def test_what_a_file_says_is_harmless_in_every_view(tmp_path: Path) -> None:
    wrong = replace(runs.disagreement("mse_loss/float32/default", "torch:eager"), note=FOREIGN, op=FOREIGN,
                    case=FOREIGN, target=FOREIGN, dtype=FOREIGN, output=FOREIGN)
    head = {**HEAD, "command": ["oracle", FOREIGN], "device": FOREIGN, "versions": {FOREIGN: FOREIGN}}
    lines = [json.dumps(head), wrong.to_json(), replace(wrong, waiver=FOREIGN, also=(FOREIGN,)).to_json()]
    (tmp_path / "records.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = digest.read(tmp_path)
    assert all(_harmless(line) for record in found.records for line in three_lines(record))
    for page in (markdown.render(found), junit.render(found)):
        assert r"\u202edesrever" in page
        assert _harmless(page)
    assert not {"\u202e", "\x1b", "\x9b", "\u2066", "\x07"} & set(html.render(found))


@pytest.mark.parametrize("arguments", [
    ["audit", FOREIGN], ["explain", FOREIGN], ["check", f"{FOREIGN}:x", "--as", "mse_loss"],
    ["audit", "--target", FOREIGN], ["report", FOREIGN], ["list", FOREIGN]])
def test_a_refusal_repeats_nothing_that_steers_a_terminal(monkeypatch: pytest.MonkeyPatch, arguments: list[str],
                                                          capsys: pytest.CaptureFixture[str]) -> None:
    assert _main(monkeypatch, *arguments) == 2
    assert _harmless(capsys.readouterr().err)


def test_a_module_whose_import_fails_at_length_is_one_short_line(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "long.py").write_text(f"raise RuntimeError({FOREIGN!r} + 'x' * 100_000)\n")
    assert _main(monkeypatch, "check", f"{tmp_path / 'long.py'}:x", "--as", "mse_loss") == 2
    err = capsys.readouterr().err
    assert len(err) < 2000
    assert err.endswith("characters)\n")
    assert _harmless(err)


def test_plain_text_stays_as_it_is() -> None:
    for text in ("", "needed is (1,)", "β · 漢字 é", "x" * 1000):
        assert plain(text) == text


# --- Ctrl-C --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("judged", "said"), [
    (0, "oracle: interrupted before the first record\n"),
    (3, "oracle: interrupted; 3 records are kept in {path}: go on with --resume\n")])
def test_an_interrupt_says_what_is_kept(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
                                        tmp_path: Path, judged: int, said: str) -> None:
    def audit(*_: Any, on_cases: Any, **__: Any) -> Iterator[Record]:
        for _i in range(judged):
            yield _crashed("")
            on_cases(1)
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "audit", audit)
    assert _main(monkeypatch, "audit", "mse_loss", "--target", "reference", "-j", "1", "--out", str(tmp_path)) == 130
    path = tmp_path / "records.jsonl"
    assert capsys.readouterr().err == said.format(path=path)
    assert len(read_records(path)[1]) == judged


def test_an_interrupt_elsewhere_promises_nothing(monkeypatch: pytest.MonkeyPatch,
                                                 capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(selection, "select", interrupted)
    assert _main(monkeypatch, "list") == 130
    assert capsys.readouterr().err.strip() == "oracle: interrupted"


def test_workers_end_at_once_where_their_work_is_given_up() -> None:
    def given_up() -> None:
        with workers.pool(2) as pool:
            pool.submit(time.sleep, 0).result()
            for _ in range(4):
                pool.submit(time.sleep, 30)
            time.sleep(0.1)
            raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        given_up()
    assert time.monotonic() - began < 20


# --- before any work -----------------------------------------------------------------------------


@pytest.mark.parametrize(("arguments", "message"), [
    (["audit", "--target", "mxnet"], "unknown target 'mxnet'"),
    (["audit", "--target", "torch:eagr"], "unknown variant 'eagr' of torch"),
    (["audit", "--executor", "ray://x"], "unknown executor 'ray://x'"),
    (["audit", "--out", "{file}/x"], "cannot write to {file}/x: Not a directory"),
    (["audit", "--out", "{file}"], "cannot write to {file}: Not a directory"),
    (["audit", "--out", "{folder}"], "cannot write {folder}/records.jsonl: Is a directory"),
    (["audit", "--out", "/proc/none"], "cannot write to /proc/none: "),
    (["prove", "--out", "{file}"], "cannot write to {file}: Not a directory"),
    (["check", "math:exp", "--as", "mse_loss", "--out", "{file}"], "cannot write to {file}: Not a directory"),
    (["vectors", "export", "{file}"], "cannot write to {file}: Not a directory"),
    (["report", "{run}", "--out", "{file}/x"], "cannot write to {file}: Not a directory"),
    (["defects", "--out", "{file}/x"], "cannot write to {file}: Not a directory"),
])
def test_what_cannot_work_is_refused_at_once(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str],
        message: str) -> None:
    def too_late(*_: Any, **__: Any) -> Any:
        raise AssertionError("work has begun")

    for place in ("oracle.cases.selection.select", "oracle.checking.check.check", "oracle.proving.survivors.chosen",
                  "oracle.vectors.writing.export", "oracle.report.digest.read", "oracle.report.defects.defects"):
        monkeypatch.setattr(place, too_late)
    (tmp_path / "file").write_text("")
    (tmp_path / "folder" / "records.jsonl").mkdir(parents=True)
    places = {"file": tmp_path / "file", "folder": tmp_path / "folder", "run": tmp_path}
    assert _main(monkeypatch, *(argument.format(**places) for argument in arguments)) == 2
    assert capsys.readouterr().err.startswith(f"oracle: {message.format(**places)}")
    assert {path.name for path in tmp_path.iterdir()} == {"file", "folder"}


def test_a_cache_that_is_a_file_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
                                        tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path / "file", tmp_path / "file" / "x"):
        monkeypatch.setenv("TORCH_ORACLE_CACHE", str(place))
        assert _main(monkeypatch, "list", "mse_loss") == 2
        assert capsys.readouterr().err == (f"oracle: cannot keep anything in {place}: Not a directory; "
                                           "TORCH_ORACLE_CACHE needs a folder, or off\n")
    report = oracle.check("mse_loss", lambda input, target: ((input - target) ** 2).mean(), framework="numpy",
                          dtypes=["float32"], modes={"reduction": ["mean"], "weight": ["none"]})
    assert report.passed
    assert any(note.startswith("nothing is kept for the next run: ") for note in report.notes)
    assert (tmp_path / "file").read_text() == "mine"
