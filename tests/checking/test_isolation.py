"""Whatever an implementation does in its process is a verdict on a case, and the run goes on."""

from __future__ import annotations

import ctypes
import functools
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import oracle
from oracle.cases.case import parse
from oracle.checking import checker, processes, serving
from oracle.checking.adapter import User
from oracle.checking.implementation import Implementation
from oracle.checking.isolation import Died, Isolated, starter
from oracle.checking.places import Named, load_named
from oracle.targets.loading import TargetError, Unsupported

CASE = parse("mse_loss/float32/default")


def _mse(input: Any, target: Any) -> Any:
    return ((input - target) ** 2).mean()


def _only_in_float64(act: Any) -> Any:
    """Misbehaves in one dtype, and is right in the other."""

    def loss(input: Any, target: Any) -> Any:
        if input.dtype == np.float64:
            return act(input, target)
        return _mse(input, target)

    return loss


def _exits(input: Any, target: Any) -> Any:
    os._exit(3)


def _sleeps(input: Any, target: Any) -> Any:
    time.sleep(1e6)


def _takes_40_gb(input: Any, target: Any) -> Any:
    return np.ones(40 * 10**9 // 8).mean()


def _leaks(input: Any, target: Any, kept: list[Any] = []) -> Any:  # noqa: B006  # what is kept is the point
    kept.append(np.ones(2**22))
    return _mse(input, target)


def _segfaults(input: Any, target: Any) -> Any:
    ctypes.string_at(0)


def _writes(input: Any, target: Any) -> Any:
    input -= target
    return (input * input).mean()


def _raises(input: Any, target: Any) -> Any:
    raise ZeroDivisionError("on purpose")


def _kills_the_group(input: Any, target: Any) -> Any:
    os.killpg(os.getpgrp(), 9)


VERDICTS = {
    "exits": (_exits, "Died: the process ended: exit status 3"),
    "sleeps": (_sleeps, "Died: no answer within 1 seconds"),
    "takes 40 GB": (_takes_40_gb, "MemoryError: "),
    "segfaults": (_segfaults, "Died: the process ended: killed by SIGSEGV"),
    "kills its group": (_kills_the_group, "Died: the process ended: killed by SIGKILL"),
    "a string": (lambda input, target: "0.5", "TypeError: gave a str, needed is a NumPy array"),
    "nothing": (lambda input, target: None, "TypeError: gave None, needed is 1 array"),
    "two results": (lambda input, target: (_mse(input, target),) * 2, "TypeError: gave a tuple, needed is 1 array"),
    "another shape": (lambda input, target: _mse(input, target)[None], r"shape (1,), needed is ()"),
    "another dtype": (lambda input, target: _mse(input, target).astype(np.float16),
                      "dtype float16, needed is float64"),
    "writes to its input": (_writes, "Misbehaved: changed its argument input"),
    "a view of its input": (lambda input, target: input.reshape(-1)[0:1].reshape(()),
                            "Misbehaved: returned a view of its argument input"),
    "raises": (_raises, "ZeroDivisionError: on purpose"),
    "ends the interpreter": (lambda input, target: sys.exit("enough"), "SystemExit: enough"),
}
MODES = {"target": ["same"], "shape": ["3x4"], "regime": ["moderate"], "reduction": ["mean"], "weight": ["none"]}


@pytest.mark.parametrize("name", VERDICTS)
def test_each_is_a_verdict_and_other_cases_stand(name: str) -> None:
    act, note = VERDICTS[name]
    report = oracle.check("mse_loss", _only_in_float64(act), framework="numpy", modes=MODES, timeout=1.0)
    judged = {record.dtype: record for record in report.records if record.verdict != "unsupported"}
    assert judged["float32"].verdict in ("exact", "within")
    assert judged["float64"].verdict in ("crashed", "exceeds")
    assert judged["float64"].note.startswith(note)
    assert not report.passed
    assert name not in ("takes 40 GB",) or "beyond the 4 GiB that are allowed" in judged["float64"].note


def test_all_four_in_one_run_that_finishes(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its input's shape one implementation exits, sleeps, takes 40 GB, gives a string; in float64 it is right."""
    monkeypatch.setattr(checker, "DEATHS", 100)
    acts = {(): _exits, (3, 4): _sleeps, (2, 1, 3): _takes_40_gb, (0,): VERDICTS["a string"][0],
            (2, 3, 4): _exits}

    def loss(input: Any, target: Any) -> Any:
        return (acts.get(input.shape, _mse) if input.dtype == np.float32 else _mse)(input, target)

    modes = {name: values for name, values in MODES.items() if name != "shape"}
    report = oracle.check("mse_loss", loss, framework="numpy", modes=modes, timeout=1.0)
    notes = {record.note.partition(": Unable")[0] for record in report.failures}
    assert notes == {"Died: the process ended: exit status 3", "Died: no answer within 1 seconds", "MemoryError",
                     "TypeError: gave a str, needed is a NumPy array"}
    right = [r for r in report.records if r.verdict in ("exact", "within") and not parse(r.case).around]
    assert len(right) >= 4
    assert {record.dtype for record in right} == {"float64"}


def test_printing_is_caught_and_shown(capfd: pytest.CaptureFixture[str]) -> None:
    def prints(input: Any, target: Any) -> Any:
        print("hello")
        os.write(2, b"from below\n")
        return _mse(input, target)

    report = oracle.check("mse_loss", prints, framework="numpy", dtypes=["float32"])
    assert report.passed
    assert any(note.startswith("printed in") and "hello" in note for note in report.notes)
    assert capfd.readouterr() == ("", "")


def test_a_run_is_given_up_where_nothing_survives() -> None:
    began = time.monotonic()
    report = oracle.check("mse_loss", _sleeps, framework="numpy", timeout=0.5)
    assert time.monotonic() - began < 60
    assert sum(record.note.startswith("Died") for record in report.records) == checker.DEATHS
    assert any("given up" in note for note in report.notes)
    assert not report.passed


def test_a_leak_ends_in_a_verdict() -> None:
    report = oracle.check("mse_loss", _leaks, framework="numpy", dtypes=["float32"], memory=2**27)
    assert any("MemoryError" in record.note or "took more than" in record.note for record in report.failures)
    assert any(record.verdict in ("exact", "within") for record in report.records)


def test_what_takes_memory_behind_the_limits_back_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system enforces nothing the process is watched."""
    monkeypatch.setattr(serving, "_limit_memory", lambda memory: None)

    def slowly(input: Any, target: Any) -> Any:
        kept = []
        while True:
            kept.append(np.ones(2**20))
            time.sleep(0.01)

    report = oracle.check("mse_loss", slowly, framework="numpy", dtypes=["float32"], modes=MODES, memory=2**28)
    assert [r.note for r in report.failures] == ["Died: took more than 0.25 GiB"] * len(report.failures)


def test_processes_do_not_outlive_a_run() -> None:
    before = _children()
    oracle.check("mse_loss", _exits, framework="numpy", dtypes=["float32"])
    assert _children() == before


def _children() -> set[str]:
    done = subprocess.run(["ps", "-o", "pid=", "--ppid", str(os.getpid())], capture_output=True, text=True)
    return {pid for pid in done.stdout.split() if Path(f"/proc/{pid}").exists()}


def test_torch_survives_the_fork_of_a_busy_process() -> None:
    """Threads of OpenMP and autograd do not outlive a fork; the child must not wait for them."""
    x = torch.randn(400, 400, requires_grad=True)
    threading.Thread(target=lambda: (x @ x).sum().backward()).start()
    (x @ x).sum().backward()
    report = oracle.check("cross_entropy", torch.nn.functional.cross_entropy, dtypes=["float32"],
                          modes={"ignore_index": ["none"]}, timeout=20.0)
    assert report.passed


# --- how a process is started --------------------------------------------------------------------


def _made(code: Any) -> User:
    return User(Implementation(code, "numpy"))


def test_a_fresh_interpreter_finds_it_by_name(tmp_path: Path) -> None:
    make = functools.partial(isolation_user, "statistics:mean")
    start = starter(make, forks=False)
    assert start is processes.spawn
    isolated = Isolated(make, "user", start)
    with pytest.raises(Exception, match=r"mean\(\)"):
        isolated.run(CASE)
    isolated.close()


def isolation_user(place: str) -> User:
    return _made(load_named(place))


isolation_user.__module__ = "tests.checking.test_isolation"  # as a fresh interpreter finds it


def test_without_a_name_and_without_forks_it_runs_here_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert starter(lambda: _made(_mse), forks=False) is None
    monkeypatch.setattr(checker, "_survives_fork", lambda asked: False)
    report = oracle.check("mse_loss", lambda input, target: _mse(input, target), framework="numpy",
                          dtypes=["float32"], modes=MODES)
    assert report.passed
    assert any("not isolated" in note for note in report.notes)
    report = oracle.check("mse_loss", lambda input, target: 1 / 0, framework="numpy", dtypes=["float32"], modes=MODES)
    assert report.failures[0].note == "ZeroDivisionError: division by zero"


def test_an_import_that_ends_the_process_is_told(tmp_path: Path) -> None:
    (tmp_path / "ends.py").write_text("import os\nos._exit(7)\n")
    with pytest.raises(TargetError, match="ended before it was ready: exit status 7"):
        oracle.check("mse_loss", f"{tmp_path / 'ends.py'}:x", framework="numpy")


def test_what_was_begun_and_not_asked_for_is_not_another_cases_answer() -> None:
    isolated = Isolated(lambda: _made(_mse), "user", starter(lambda: None, forks=True))  # type: ignore[arg-type,return-value]
    isolated.begin(CASE)
    assert set(isolated.run(CASE)) == {"output"}
    isolated.begin(CASE)
    with pytest.raises(Unsupported, match="reduction"):
        isolated.run(parse("mse_loss/float32/reduction=sum"))
    isolated.close()


def test_a_death_is_an_exception_of_its_own() -> None:
    isolated = Isolated(lambda: _made(_exits), "user", starter(lambda: None, forks=True))  # type: ignore[arg-type,return-value]
    with pytest.raises(Died, match="exit status 3"):
        isolated.run(CASE)
    assert isolated.deaths == 1
    isolated.close()


@pytest.mark.parametrize(("place", "message"), [
    ("math", "names no object"), ("nowhere_at_all:x", "cannot be imported: ModuleNotFoundError"),
    ("math:x", "math has no 'x'"), ("none.py:x", "there is no file none.py")])
def test_a_place_that_holds_nothing_is_told(place: str, message: str) -> None:
    with pytest.raises(TargetError, match=message):
        load_named(place)


def test_a_named_object_is_found() -> None:
    assert load_named("os.path:join") is os.path.join
    assert Named("os.path:join").place == "os.path:join"
