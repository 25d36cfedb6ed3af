"""What a judged process does to others, to NumPy and to its judge stays with it, and is said."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import oracle
from oracle.checking import crossing, processes
from oracle.checking.checked import Report
from oracle.checking.crossing import Answer, pack, unpack

MODES = {"target": ["same"], "shape": ["3x4"], "regime": ["moderate"], "reduction": ["mean"], "weight": ["none"]}


def _mse(input: Any, target: Any) -> Any:
    return ((input - target) ** 2).mean()


def _checked(act: Any, **options: Any) -> Report:
    """A report on what is right, but acts in float64 before it answers."""

    def loss(input: Any, target: Any) -> Any:
        if input.dtype == np.float64:
            act()
        return _mse(input, target)

    return oracle.check("mse_loss", loss, framework="numpy", modes=MODES, timeout=10.0, **options)


def _note(report: Report) -> str:
    """Of the case in float64; that in float32 is right."""
    judged = {record.dtype: record for record in report.records if record.verdict != "unsupported"}
    assert judged["float32"].sound
    assert judged["float64"].verdict == "crashed"
    return judged["float64"].note


def test_a_fork_that_comes_back_as_well_is_a_verdict_and_no_second_answer() -> None:
    assert _note(_checked(os.fork)) == "Misbehaved: forked, and both processes returned"


def test_a_fork_that_comes_back_late_is_seen_at_the_next_case() -> None:
    def late() -> None:
        if os.fork() == 0:
            time.sleep(0.3)

    def loss(input: Any, target: Any) -> Any:
        late() if input.shape == (3, 4) else time.sleep(0.2)
        return _mse(input, target)

    modes = {name: values for name, values in MODES.items() if name != "shape"}
    report = oracle.check("mse_loss", loss, framework="numpy", dtypes=["float32"], modes=modes)
    assert "Misbehaved: forked, and both processes returned" in {record.note for record in report.failures}


def test_forks_that_end_are_the_implementations_own_affair() -> None:
    def act() -> None:
        if (pid := os.fork()) == 0:
            os._exit(0)
        os.waitpid(pid, 0)

    assert _checked(act).passed


@pytest.mark.skipif(sys.platform != "linux", reason="daemons are found on Linux alone")
def test_daemons_end_with_the_process(tmp_path: Path) -> None:
    def act() -> None:
        program = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        (tmp_path / "program").write_text(str(program.pid))
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                (tmp_path / "daemon").write_text(str(os.getpid()))
                time.sleep(1000)
            os._exit(0)
        while not (tmp_path / "daemon").exists():
            time.sleep(0.01)

    assert _checked(act).passed
    for name in ("program", "daemon"):
        assert not _runs(int((tmp_path / name).read_text())), name


def _runs(pid: int) -> bool:
    """Is it there, and more than an entry that nobody has asked for?"""
    stat_file = Path(f"/proc/{pid}/stat")
    return stat_file.exists() and stat_file.read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"


def test_signals_to_its_parent_change_nothing() -> None:
    def act() -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
            os.kill(os.getppid(), number)
        time.sleep(0.1)

    assert _checked(act).passed


@pytest.mark.skipif(sys.platform != "linux", reason="needs a signal at the death of a parent")
def test_killing_its_parent_is_a_verdict(tmp_path: Path) -> None:
    def act() -> None:
        program = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        (tmp_path / "program").write_text(str(program.pid))
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(5)

    assert _note(_checked(act)) == "Died: the process ended: it ended the process that watches it"
    assert not _runs(int((tmp_path / "program").read_text()))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems number signals otherwise")
def test_a_signal_without_a_name_is_told_by_its_number() -> None:
    report = _checked(lambda: os.kill(os.getpid(), signal.SIGRTMIN + 1))
    assert _note(report) == f"Died: the process ended: killed by signal {signal.SIGRTMIN + 1}"


def test_a_changed_numpy_spoils_no_other_case() -> None:
    """The cases that modes leave out stay left out, and all others are judged as ever."""
    def patches(input: Any, target: Any) -> Any:
        result = _mse(input, target)
        np.float32 = np.abs = np.where = np.random.Generator = None  # type: ignore[assignment,misc]
        return result

    modes = {name: MODES[name] for name in ("reduction", "weight", "regime")}
    report = oracle.check("mse_loss", patches, framework="numpy", dtypes=["float32"], modes=modes)
    assert report.passed
    assert {record.verdict for record in report.records} == {"exact", "within", "unsupported"}
    assert any(note.startswith("changed NumPy: ") for note in report.notes)


def test_numbers_that_come_out_otherwise_are_noticed() -> None:
    def patches(input: Any, target: Any) -> Any:
        result = _mse(input, target)
        asarray = np.asarray
        np.asarray = lambda *a, **k: asarray(*a, **k) * 2  # type: ignore[assignment]
        return result

    report = oracle.check("mse_loss", patches, framework="numpy", dtypes=["float32"],
                          modes={name: MODES[name] for name in ("reduction", "weight", "regime")})
    assert report.passed


def test_a_module_that_changes_numpy_as_it_is_imported_is_told_so(tmp_path: Path) -> None:
    generator = np.random.Generator
    (tmp_path / "changes.py").write_text(
        "import numpy as np\ndef mse(input, target):\n    return ((input - target) ** 2).mean()\n"
        "np.random.Generator = None\n")
    report = oracle.check("mse_loss", f"{tmp_path / 'changes.py'}:mse", framework="numpy", modes=MODES,
                          dtypes=["float32"])
    started = "Died: it changes NumPy where it is imported, and the case is another one there: "
    assert report.failures
    assert all(failure.note.startswith(started) for failure in report.failures)
    assert np.random.Generator is generator, "of the judge"


@pytest.mark.parametrize("place", ["{folder}/intruder.py:mse", "intruder:mse"])
def test_what_is_given_by_its_place_never_comes_into_the_judges_process(
        place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither to judge it nor to tell its defaults nor to write its script."""
    (tmp_path / "intruder.py").write_text(
        "import os, pathlib\n"
        "with pathlib.Path(__file__).with_name('pids').open('a') as file:\n    print(os.getpid(), file=file)\n"
        "def mse(input, target, reduction='sum'):\n    return 2 * ((input - target) ** 2).mean()\n")
    monkeypatch.syspath_prepend(tmp_path)
    report = oracle.check("mse_loss", place.format(folder=tmp_path), framework="numpy", modes=MODES)
    assert report.failures
    assert "runpy.run_path" in str(report) or "from intruder import mse" in str(report)
    assert "reduction is 'sum', torch's is 'mean'" not in str(report), "for it heals nothing"
    pids = (tmp_path / "pids").read_text().split()
    assert pids
    assert str(os.getpid()) not in pids
    assert not any(str(tmp_path) in str(getattr(module, "__file__", "")) for module in [*sys.modules.values()])


def test_what_no_process_can_tell_is_said_in_the_place_of_the_script(tmp_path: Path) -> None:
    (tmp_path / "secretive.py").write_text(
        "class Loss:\n    def __call__(self, input, target):\n        return 2 * ((input - target) ** 2).mean()\n\n"
        "    @property\n    def __signature__(self):\n        raise SystemError\n\nmse = Loss()\n")
    report = oracle.check("mse_loss", f"{tmp_path / 'secretive.py'}:mse", framework="numpy", modes=MODES)
    assert report.failures
    assert report.script() == f"# no process could tell the signature of {tmp_path / 'secretive.py'}:mse"


def test_what_is_told_in_the_place_of_facts_is_parsed_strictly(tmp_path: Path) -> None:
    """A module that is imported may say that it is ready before it is."""
    forged = _framed(pack(Answer(0, "ready", '{"signature": {"parameters": 3}}')))
    (tmp_path / "forger.py").write_text(
        "import os, socket\nfrom tests.checking.test_hostile import _connection\n"
        f"with socket.socket(fileno=os.dup(_connection())) as one:\n    one.sendall({forged!r})\n"
        "def mse(input, target):\n    return ((input - target) ** 2).mean()\n")
    report = oracle.check("mse_loss", f"{tmp_path / 'forger.py'}:mse", framework="numpy", modes=MODES)
    assert {record.note.partition(":")[0] for record in report.failures} == {"Died"}
    assert report.script() == f"# no process could tell the signature of {tmp_path / 'forger.py'}:mse"


# --- what is sent to the judge -------------------------------------------------------------------


class _Evil:
    def __reduce__(self) -> Any:
        return os._exit, (77,)


def _connection() -> int:
    """The descriptor of the socket on which answers go: that of lowest number, in a process that has few."""
    for descriptor in range(3, 1024):
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                with socket.socket(fileno=os.dup(descriptor)) as one:
                    if one.family == socket.AF_UNIX and one.getsockname() == one.getpeername() == "":
                        return descriptor
    raise AssertionError


def _sends(data: bytes) -> Any:
    def act() -> None:
        with socket.socket(fileno=os.dup(_connection())) as one:
            one.sendall(data)

    return act


def _framed(data: bytes) -> bytes:
    return struct.pack("!Q", len(data)) + data


SENT = {
    "a pickle": (_framed(__import__("pickle").dumps(_Evil())), "its process answered what is no answer: "),
    "too much": (struct.pack("!Q", 2**60), "its process answered what is no answer: an answer of "),
    "noise": (bytes(range(256)) * 10, "its process answered what is no answer: an answer of "),
    "the number of another question": (_framed(pack(Answer(99, "outputs"))), "answered out of step: question 99"),
    "another start": (_framed(pack(Answer(1, "ready"))), "answered out of step: question 1 (ready)"),
    "half of an answer": (struct.pack("!Q", 100) + b"{", ""),
}


@pytest.mark.parametrize("name", SENT)
def test_whatever_is_sent_is_a_verdict(name: str) -> None:
    data, note = SENT[name]
    assert _note(_checked(_sends(data))).startswith(f"Died: {note}")


def test_an_object_array_is_no_answer_and_runs_nothing() -> None:
    report = oracle.check("mse_loss", lambda input, target: np.array(_Evil(), object), framework="numpy", modes=MODES,
                          dtypes=["float32"])
    assert {r.note for r in report.records if r.verdict != "unsupported"} == {
        "TypeError: gave output of dtype object, needed is an array of numbers"}


def test_answers_come_as_they_were_given() -> None:
    import ml_dtypes

    arrays = {"a": np.arange(6.0).reshape(2, 3).T, "b": np.float32(1.5), "c": np.empty((0, 3), np.int64),
              "d": np.array([1, 2], ml_dtypes.bfloat16), "e": np.array([True]), "f": np.array(1j),
              "g": np.array([1.5], np.longdouble), "h": np.array([1.0], ">f4")}
    answer = Answer(7, "outputs", "text \udc80", "printed", arrays)
    again = unpack(pack(answer))
    assert (again.number, again.kind, again.text, again.printed) == (7, "outputs", "text \udc80", "printed")
    for name, array in again.arrays.items():
        given = np.asarray(arrays[name])
        assert (array.dtype, array.shape, array.tobytes()) == (given.dtype, given.shape, given.tobytes())


GOOD = b'{"number": 1, "kind": "outputs", "text": "", "printed": "", "arrays": %s}\n%s'
BAD = {
    "nothing": b"", "no JSON": b"{\n", "a list": b"[]\n", "deep": b"[" * 10**5 + b"\n", "no UTF-8": b'"\xff"\n',
    "another part": b'{"number": 1}\n', "a kind": GOOD.replace(b"outputs", b"shown") % (b"[]", b""),
    "no number": GOOD.replace(b"1", b"true", 1) % (b"[]", b""), "no list": GOOD % (b"3", b""),
    "a text": GOOD.replace(b'"text": ""', b'"text": 1') % (b"[]", b""),
    "an object": GOOD % (b'[["a", "|O", [1]]]', b"12345678"), "a type": GOOD % (b'[["a", "<f9", [1]]]', b"123456789"),
    "too short": GOOD % (b'[["a", "<f8", [2]]]', b"12345678"),
    "too long": GOOD % (b'[["a", "<f8", [1]]]', b"123456789"),
    "a negative size": GOOD % (b'[["a", "<f8", [-1]]]', b"12345678"),
    "a size that is none": GOOD % (b'[["a", "<f8", [1.0]]]', b"12345678"),
    "giants": GOOD % (b'[["a", "<f8", [0, %d]]]' % 10**30, b""), "many axes": GOOD % (b'[["a", "<f8", [%s 1]]]' %
                                                                                    (b"1," * 99), b"12345678"),
    "a name twice": GOOD % (b'[["a", "<i1", [1]], ["a", "<i1", [1]]]', b"12"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_answer_is_refused(name: str) -> None:
    assert unpack(GOOD % (b'[["a", "<f8", [1]]]', b"12345678")).arrays["a"].shape == (1,)
    with pytest.raises(ValueError, match=r"."):
        unpack(BAD[name])


def test_what_reads_answers_has_no_pickles() -> None:
    assert "pickle" not in Path(crossing.__file__).read_text(encoding="utf-8")


def test_without_ids_of_processes_that_can_be_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on systems that are not Linux."""
    for name in ("pidfd_open", "waitid"):
        monkeypatch.delattr(os, name, raising=False)
    monkeypatch.setattr(processes, "_libc", None)
    assert _note(_checked(lambda: os._exit(3))) == "Died: the process ended: exit status 3"
    assert _note(_checked(os.fork)) == "Misbehaved: forked, and both processes returned"
