"""Runs that end early, by whatever: what is there stays, and --resume ends with the file of an undisturbed run."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from oracle.auditing import record_file, run
from oracle.auditing.record_file import RecordFile, RecordFileError
from oracle.auditing.records import header
from oracle.cases.case import Case
from oracle.cases.selection import select
from oracle.cli.app import main
from oracle.targets.loading import Target, load

COMMAND = ["oracle", "audit", "ones_"]


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return [case for op in ("ones_", "l1_loss", "SGD") for case in select([op], ["float32"])[:6]]


@pytest.fixture(scope="module")
def targets() -> list[Target]:
    return load(["reference", "torch:eager", "torch:foreach"])


@pytest.fixture(scope="module")
def go(cases: list[Case], targets: list[Target]) -> Callable[[Path], int]:
    """A function that starts or resumes the run, and returns how many cases were left to do."""
    def go(path: Path) -> int:
        names = [t.name for t in targets]
        file, _, done = record_file.resume(path, header(COMMAND, "cpu", cases, names), cases, targets)
        with file:
            for record in run.audit(cases[done:], names):
                file.append(record)
        return len(cases) - done
    return go


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, go: Callable[[Path], int]) -> bytes:
    path = tmp_path_factory.mktemp("run") / "undisturbed.jsonl"
    assert go(path) == 18
    return path.read_bytes()


class _Deadly:
    """A file that ends its process for good once so many bytes are written."""

    def __init__(self, file: Any, budget: int) -> None:
        self._file, self._budget = file, budget

    def write(self, data: memoryview) -> int:
        if len(data) < self._budget:
            self._budget -= len(data)
            return int(self._file.write(data))
        self._file.write(data[:self._budget])
        os.kill(os.getpid(), signal.SIGKILL)
        return 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.filterwarnings(r"ignore:os\.fork\(\) was called:RuntimeWarning")  # JAX, where another test brought it in
def test_killed_twenty_times_and_resumed_the_file_is_that_of_an_undisturbed_run(
        tmp_path: Path, go: Callable[[Path], int], undisturbed: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "records.jsonl"
    opened = record_file._open
    kills = 0
    for i in range(20):  # from within the header on; every child gets a bit further, and dies
        budget = (1, 200, 700, 333)[i % 4] + 97 * i
        before = path.stat().st_size if path.exists() else 0
        child = os.fork()
        if child == 0:
            monkeypatch.setattr(record_file, "_open", lambda path, budget=budget: _Deadly(opened(path), budget))
            with contextlib.suppress(BaseException):
                go(path)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        kills += os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        assert undisturbed.startswith(path.read_bytes()), f"after kill {i}, of a file of {before} bytes"
    assert kills == 20
    assert 0 < len(path.read_bytes()) < len(undisturbed)
    assert 0 < go(path) < 18
    assert path.read_bytes() == undisturbed
    assert go(path) == 0
    assert path.read_bytes() == undisturbed


def test_every_beginning_of_the_file_is_gone_on_with(
        tmp_path: Path, go: Callable[[Path], int], undisturbed: bytes, cases: list[Case],
        targets: list[Target]) -> None:
    path = tmp_path / "records.jsonl"
    head = header(COMMAND, "cpu", cases, [t.name for t in targets])
    for length in range(0, len(undisturbed), 61):
        path.write_bytes(undisturbed[:length])
        file, records, done = record_file.resume(path, head, cases, targets)
        file.__exit__()
        kept = path.read_bytes()
        assert undisturbed.startswith(kept)
        assert kept.count(b"\n") == 1 + len(records)
        assert len({r.case for r in records}) == done


def test_a_full_disk_is_one_line_and_what_is_there_is_gone_on_with(
        tmp_path: Path, go: Callable[[Path], int], undisturbed: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(_Deadly):
        def write(self, data: memoryview) -> int:
            if len(data) >= self._budget:
                if not self._budget:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                data = data[:self._budget]  # a short write, as the system does it
            self._budget -= len(data)
            return int(self._file.write(data))

    path = tmp_path / "records.jsonl"
    opened = record_file._open
    monkeypatch.setattr(record_file, "_open", lambda path: Full(opened(path), 5000))
    with pytest.raises(RecordFileError, match=r"cannot write to .*records\.jsonl: No space left on device; .*--resume"):
        go(path)
    assert path.stat().st_size == 5000
    monkeypatch.setattr(record_file, "_open", opened)
    go(path)
    assert path.read_bytes() == undisturbed


def _children(pid: int) -> set[int]:
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.add(int(stat.parent.name))
    return found


def _wait(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def oracle(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., int]]:
    """The command line, in this process; it returns the exit status."""
    def run_main(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["oracle", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0)
    return run_main


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")
def test_an_audit_killed_with_its_workers_at_work_is_resumed_and_leaves_no_process(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, oracle: Callable[..., int]) -> None:
    arguments = ["audit", "hinge_embedding_loss", "--dtype", "float16", "--target", "reference", "-j", "2",
                 "--out", "results"]
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    records = tmp_path / "a" / "results" / "records.jsonl"
    code = "import sys; sys.argv[0] = 'oracle'; from oracle.cli.app import main; main()"
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=tmp_path / "a",
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _wait(lambda: records.exists() and records.read_bytes().count(b"\n") > 8)
    workers = _children(process.pid)
    process.kill()
    process.wait()
    assert len(workers) >= 2
    _wait(lambda: not any(map(_alive, workers)))
    torn = records.read_bytes()
    monkeypatch.chdir(tmp_path / "a")
    assert oracle(*arguments, "--resume") == 0
    monkeypatch.chdir(tmp_path / "b")
    assert oracle(*arguments) == 0
    whole = (tmp_path / "b" / "results" / "records.jsonl").read_bytes()
    assert len(torn) < len(whole)
    assert records.read_bytes() == whole


def test_a_file_size_limit_is_one_line_and_status_2(tmp_path: Path) -> None:
    code = ("import resource, signal, sys; sys.argv = ['oracle', *sys.argv[1:]]\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "from oracle.cli.app import main\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
            "main()")
    done = subprocess.run([sys.executable, "-B", "-c", code, "audit", "ones_", "--target", "reference", "-j", "1",
                           "--out", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith(f"oracle: cannot write to {tmp_path / 'records.jsonl'}: File too large; ")
    assert done.stderr.count("\n") == 1
    assert (tmp_path / "records.jsonl").stat().st_size == 2000


@pytest.mark.parametrize(("change", "message"), [
    (lambda lines: [b"hello"], "is not a record file of this version"),
    (lambda lines: [b"hello", b""], "is not a record file of this version"),
    (lambda lines: [b"\x80\x04cos\nsystem\n", b""], "is not a record file of this version"),
    (lambda lines: [b"\x00" * 50, *lines[1:]], "is not a record file of this version"),
    (lambda lines: [b"[" * 100000, *lines[1:]], "is not a record file of this version"),
    (lambda lines: [lines[0], lines[1][:50], *lines[2:]], "records.jsonl, line 2: damaged record"),
    (lambda lines: [lines[0], b"\xff" + lines[1], *lines[2:]], "records.jsonl, line 2: damaged record"),
    (lambda lines: [lines[0], lines[1].replace(b'"exact"', b'"great"'), *lines[2:]], "line 2: damaged record"),
    (lambda lines: [lines[0], b"null", *lines[2:]], "records.jsonl, line 2: damaged record"),
    (lambda lines: [lines[0], lines[3], *lines[2:]],
     "line 2: ones_/float32/layout=transposed on reference, where this run has "),
    (lambda lines: [*lines[:-1], lines[-2], b""], "more records than this run has"),
    (lambda lines: [lines[0].replace(b'"numpy": "', b'"numpy": "0.'), *lines[1:]],
     "is of another run (oracle audit ones_): versions numpy was 0."),
    (lambda lines: [lines[0].replace(b'"device": "cpu"', b'"device": "cuda"'), *lines[1:]], "device was cuda, is cpu"),
    (lambda lines: [lines[0].replace(b'"torch:eager"', b'"torch:fused"'), *lines[1:]], "targets was"),
    (lambda lines: [lines[0].replace(b'"count": 18', b'"count": 17'), *lines[1:]], "cases count was 17, is 18"),
])
def test_a_damaged_or_foreign_file_is_one_clear_line_and_left_as_it_is(
        tmp_path: Path, go: Callable[[Path], int], undisturbed: bytes,
        change: Callable[[list[bytes]], list[bytes]], message: str) -> None:
    path = tmp_path / "records.jsonl"
    data = b"\n".join(change(undisturbed.split(b"\n")))
    path.write_bytes(data)
    with pytest.raises(RecordFileError) as error:
        go(path)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert path.read_bytes() == data


def test_resume_of_another_command_is_refused_by_the_command_line(
        tmp_path: Path, oracle: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--target", "reference", "-j", "1", "--out", str(tmp_path)]
    assert oracle("audit", "ones_", *where, "--resume") == 0, "no file yet: it is begun"
    before = (tmp_path / "records.jsonl").read_bytes()
    assert oracle("audit", "zeros_", *where, "--resume") == 2
    err = capsys.readouterr().err
    assert err.startswith(f"oracle: {tmp_path / 'records.jsonl'} is of another run (oracle audit ones_")
    assert "cases digest was" in err
    assert err.count("\n") == 1
    assert (tmp_path / "records.jsonl").read_bytes() == before
    head = json.loads(before.splitlines()[0])
    assert head["targets"] == ["reference"]
    assert head["cases"]["count"] == len(select(["ones_"]))


def test_lines_are_written_whole(tmp_path: Path) -> None:
    class Slow:
        def __init__(self) -> None:
            self.data = b""

        def write(self, data: memoryview) -> int:
            self.data += bytes(data[:3])
            return min(3, len(data))

    slow = Slow()
    RecordFile(tmp_path / "x", slow).write("a line")  # type: ignore[arg-type]
    assert slow.data == b"a line\n"


def test_a_run_with_other_source_or_waivers_is_not_gone_on_with(
        tmp_path: Path, oracle: Callable[..., int], capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["audit", "ones_", "--target", "reference", "-j", "1", "--out", str(tmp_path)]
    assert oracle(*command) == 0
    now = dict(run.judged_by())
    for key in ("source", "waivers"):
        monkeypatch.setattr(run, "judged_by", lambda key=key: now | {key: "another"})
        assert oracle(*command, "--resume") == 2
        assert f"{key} was {now[key]}, is another\n" in capsys.readouterr().err


def test_a_file_has_one_writer(tmp_path: Path, oracle: Callable[..., int], capsys: pytest.CaptureFixture[str],
                               cases: list[Case], targets: list[Target]) -> None:
    path, head = tmp_path / "records.jsonl", header(COMMAND, "cpu", cases, [t.name for t in targets])
    with record_file.start(path, head):
        before = path.read_bytes()
        for resume in ((), ("--resume",)):
            assert oracle("audit", "ones_", "--target", "reference", "-j", "1", "--out", str(tmp_path), *resume) == 2
            assert capsys.readouterr().err == (f"oracle: another run is writing to {path}; wait for its end, or choose "
                                               "another folder with --out\n")
        assert path.read_bytes() == before
    record_file.start(path, head).__exit__()


def test_the_run_before_is_put_aside(tmp_path: Path, oracle: Callable[..., int]) -> None:
    path, command = tmp_path / "records.jsonl", ["--target", "reference", "-j", "1", "--out", str(tmp_path)]
    assert oracle("audit", "ones_", *command) == 0
    before = path.read_bytes()
    assert oracle("audit", "ones_", "--dtype", "float8", *command) == 2, "what does not run puts nothing aside"
    assert path.read_bytes() == before
    assert oracle("audit", "zeros_", *command) == 0
    assert path.with_name("records.previous.jsonl").read_bytes() == before
    assert path.read_bytes() != before
