"""What is kept on disk: found again, by content alone; damage and full disks cost time, never a wrong truth."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oracle.cases import covering, registry
from oracle.cases.case import parse
from oracle.cases.selection import cases
from oracle.keeping import sources, store
from oracle.keeping.sources import source
from oracle.truth import encoding, proof
from oracle.truth.kept_truths import truth_of
from oracle.truth.proof import Truth, prove
from tests.kept import forget, nothing_kept

CASES = ("cross_entropy/float32/default", "Adam/float64/default", "LBFGS/float32/default", "mse_loss/bfloat16/default",
         "normal_/float32/default", "kl_div/float32/regime=zero", "SGD/float32/layout=empty")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to keep things in."""
    with nothing_kept(tmp_path, monkeypatch) as folder:
        yield folder


def _same(a: dict[str, Truth], b: dict[str, Truth]) -> bool:
    def bits(value: Any) -> Any:
        array = np.asarray(value)
        return value if isinstance(value, str) else (array.dtype, array.shape, array.tobytes())

    return a.keys() == b.keys() and all(bits(getattr(a[name], f.name)) == bits(getattr(b[name], f.name))
                                        for name in a for f in fields(Truth))


def _never(*_: object) -> dict[str, Truth]:
    raise AssertionError("proven again")


@pytest.mark.parametrize("case_id", CASES)
def test_a_truth_comes_back_bit_for_bit(case_id: str) -> None:
    truths = prove(parse(case_id))
    assert _same(encoding.unpack(encoding.pack(truths)), truths)


def test_a_second_run_proves_nothing_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = {case_id: truth_of(parse(case_id)) for case_id in CASES}
    forget()
    monkeypatch.setattr(proof, "prove", _never)
    assert all(_same(truth_of(parse(case_id)), truths) for case_id, truths in first.items())
    with pytest.raises(AssertionError, match="proven again"):
        truth_of(parse(CASES[0]), "opmath")  # another question


def test_what_is_kept_was_not_only_asked_for(folder: Path) -> None:
    truth_of(parse(CASES[0]))
    kept = store.current()
    assert kept is not None
    assert len(kept) == 1


def test_what_is_gathered_is_written_at_the_end_whatever_that_is(folder: Path) -> None:
    kept = store.current()
    assert kept is not None
    with suppress(ZeroDivisionError), kept.gathering():
        kept.put(b"one", "a")
        kept.put(b"two", "b")
        assert len(kept) == 0
        raise ZeroDivisionError
    kept.put(b"three", "c")
    assert [kept.get(asked) for asked in "abc"] == [b"one", b"two", b"three"]


def test_nothing_is_kept_where_it_is_off(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(store.VARIABLE, store.OFF)
    truth_of(parse(CASES[0]))
    assert store.current() is None
    assert not list(folder.iterdir())


def test_another_source_is_another_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    """One character in the op, in a primitive it imports, or in the balls: each asks for something else."""
    module, text = registry.get("cross_entropy").implementation.__module__, sources._text
    plain = source(module, "oracle.truth.proof")
    others = set()
    for changed in (module, "reference.numerics", "reference.losses._classes", "oracle.truth.ball",
                    "oracle.truth.evaluate", "oracle.cases.case"):
        source.cache_clear()
        monkeypatch.setattr(sources, "_text", lambda name, changed=changed: text(name) + "#" * (name == changed))
        others.add(source(module, "oracle.truth.proof"))
    source.cache_clear()
    monkeypatch.setattr(sources, "_text", lambda name: text(name) + "#" * (name == "reference.optim.adam"))
    assert source(module, "oracle.truth.proof") == plain  # another op is no matter
    source.cache_clear()
    assert len({plain, *others}) == 7


def test_a_file_that_is_edited_is_not_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A digest is of what was there when the process began, whenever it is asked for."""
    before = source("reference.losses.mse", "oracle.auditing.run")
    source.cache_clear()
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "edited")
    assert source("reference.losses.mse", "oracle.auditing.run") == before
    edited, _ = sources._read()
    assert edited["reference.losses.mse"] == "edited"


def test_what_is_taken_from_a_package_is_of_the_module_that_has_it() -> None:
    assert "reference.optim._sparse" in sources.closure("oracle.cases.case")
    assert "reference.optim.adam" not in sources.closure("oracle.cases.case")
    assert {"reference.init.normal_init", "reference.init.zeros_init"} <= sources.closure("oracle.dialects.table")
    assert {"oracle.dialects.adam", "oracle.targets.loading"} <= sources.closure("oracle.auditing.run")
    assert "oracle.checking.check" not in sources.closure("oracle.auditing.run")


@pytest.mark.parametrize("name", sorted({spec.implementation.__module__ for spec in registry.specs().values()}))
def test_all_that_an_op_imports_is_seen(name: str) -> None:
    """What its module holds of other modules was imported from there."""
    found = sources.closure(name)
    used = {str(getattr(value, "__module__", "")) for value in vars(sys.modules[name]).values()}
    assert {module for module in used if module.startswith("reference.")} <= found


def test_a_damaged_entry_is_no_entry(folder: Path) -> None:
    truths = truth_of(parse(CASES[0]))
    forget()
    with sqlite3.connect(folder / "kept.sqlite") as file:
        ((value,),) = file.execute("SELECT value FROM kept").fetchall()
        file.execute("UPDATE kept SET value = ?", (value[:-1] + bytes([value[-1] ^ 1]),))
    file.close()
    assert _same(truth_of(parse(CASES[0])), truths)


def test_an_entry_under_anothers_key_is_no_entry(tmp_path: Path) -> None:
    kept = store.Store(tmp_path / "kept.sqlite")
    kept.put(b"one", "a")
    kept.put(b"two", "b")
    assert kept._file is not None
    kept._file.execute("UPDATE kept SET key = CASE key WHEN ? THEN x'00' ELSE ? END", [store._digest("a")] * 2)
    assert [kept.get(asked) for asked in "ab"] == [None, None]


def test_a_file_that_is_damaged_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "kept.sqlite"
    kept = store.Store(path)
    for i in range(2000):
        kept.put(b"x" * 100, str(i))
    kept.close()
    data = path.read_bytes()
    path.write_bytes(data[:8192] + b"\xff" * (len(data) - 8192))
    for found in (None, b"new"):
        kept = store.Store(path)
        assert kept.get("7") == found
        kept.put(b"new", "7")
        kept.close()


def test_a_file_that_another_holds_is_left_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kept.sqlite"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("CREATE TABLE mine (a)")
    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, timeout, **more: connect(path, timeout=0.1, **more))
    kept = store.Store(path)
    kept.put(b"one", "a")
    assert kept.get("a") is None
    other.execute("COMMIT")
    assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("mine",)]
    other.close()


@pytest.mark.parametrize("there", [b"not a database " * 100, b""])
def test_a_foreign_file_is_replaced(folder: Path, there: bytes) -> None:
    (folder / "kept.sqlite").write_bytes(there)
    truths = truth_of(parse(CASES[0]))
    forget()
    kept = store.current()
    assert kept is not None
    assert len(kept) == 1
    assert _same(truth_of(parse(CASES[0])), truths)


def test_a_folder_that_cannot_be_made_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "file" / "inside"))
    forget()
    assert truth_of(parse(CASES[0]))
    forget()


def test_a_file_that_has_grown_too_large_is_started_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    truth_of(parse(CASES[0]))
    forget()
    monkeypatch.setattr(store, "LARGEST", 10)
    kept = store.current()
    assert kept is not None
    assert len(kept) == 0


def _write(path: Path, who: str) -> None:
    kept = store.Store(path)
    for i in range(200):
        kept.put(f"{who} {i}".encode(), who, str(i))


def test_many_processes_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "kept.sqlite"
    writers = [get_context("spawn").Process(target=_write, args=(path, who)) for who in "abc"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    kept = store.Store(path)
    assert len(kept) == 600
    assert kept.get("b", "7") == b"b 7"
    assert kept.get("d", "7") is None
    kept.close()


def test_cases_are_chosen_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    covering.combinations.cache_clear()
    spec = registry.get("mse_loss")
    chosen = [case.id for case in cases(spec, "float32")]
    covering.combinations.cache_clear()
    monkeypatch.setattr(covering, "_cover", _never)
    assert [case.id for case in cases(spec, "float32")] == chosen
    covering.combinations.cache_clear()
