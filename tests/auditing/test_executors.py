"""Cases on other people's workers: the same records, whoever works, and whoever dies at work."""

from __future__ import annotations

import importlib.util
import json
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from oracle.auditing import executors, judge, run
from oracle.auditing.executors import ExecutorError
from oracle.auditing.record_file import RecordFile
from oracle.cases.case import Case
from oracle.cases.selection import select
from oracle.cli.app import main
from oracle.keeping import store
from oracle.targets.loading import TargetError
from oracle.verdict.record import Record
from tests.kept import nothing_kept

TARGETS = ["reference", "torch:eager"]
has_dask = pytest.mark.skipif(importlib.util.find_spec("distributed") is None,
                              reason="Dask is not installed; pip install 'torch-oracle[dask]'")


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return [case for op in ("mse_loss", "SGD", "normal_") for case in select([op], ["float16"])[:10]]


@pytest.fixture(scope="module")
def alone(cases: list[Case]) -> list[str]:
    return [r.to_json() for r in run.audit(cases, TARGETS)]


class _Reversed(Executor):
    """Does what it is given last first, when a result is wanted."""

    def __init__(self) -> None:
        self.tasks: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.tasks.append((future, lambda: fn(*args, **kwargs)))
        result = future.result
        future.result = lambda timeout=None: (self.work(), result())[1]  # type: ignore[method-assign]
        return future

    def work(self) -> None:
        while self.tasks:
            future, task = self.tasks.pop()
            future.set_result(task())


@pytest.mark.parametrize("make", [lambda: ThreadPoolExecutor(4), _Reversed])
def test_any_executor_gives_the_records_of_one_process(
        make: Callable[[], Executor], cases: list[Case], alone: list[str]) -> None:
    taken: list[int] = []
    with make() as executor:
        records = [r.to_json() for r in run.audit(cases, TARGETS, executor=executor, on_cases=taken.append)]
    assert records == alone
    assert sum(taken) == len(cases)


def test_threads_of_one_process_work_on_one_case_at_a_time(cases: list[Case], monkeypatch: pytest.MonkeyPatch) -> None:
    """The arithmetic of balls, torch's generator and the filters of warnings belong to the process."""
    at_work: list[str] = []
    answer = judge.answer

    def watched(case: Case, target: Any) -> Any:
        at_work.append(case.id)
        time.sleep(0.005)
        assert at_work == [case.id]
        found = answer(case, target)
        at_work.remove(case.id)
        return found

    monkeypatch.setattr(run, "answer", watched)
    monkeypatch.setenv(store.VARIABLE, store.OFF)  # where nothing is known each target is asked
    with ThreadPoolExecutor(4) as executor:
        assert len(list(run.audit(cases[:16], ["reference"], executor=executor))) == 16


def test_what_is_not_done_is_cancelled_when_the_run_ends_early(cases: list[Case]) -> None:
    executor = _Reversed()
    records = run.audit(cases, ["reference"], executor=executor)
    futures: list[Future[Any]] = []
    submit = executor.submit
    executor.submit = lambda *a, **k: futures.append(f := submit(*a, **k)) or f  # type: ignore
    executor.work = lambda: executor.tasks[0][0].set_result(executor.tasks[0][1]())  # type: ignore[method-assign]
    next(records)
    records.close()  # type: ignore[attr-defined]
    assert [f.cancelled() for f in futures] == [False] + [True] * (len(futures) - 1)
    assert len(futures) == -(-len(cases) // run.CHUNK)


def test_a_worker_with_other_versions_is_refused(cases: list[Case], monkeypatch: pytest.MonkeyPatch) -> None:
    mine = run.versions()
    executor = _Reversed()
    records = run.audit(cases, ["reference"], executor=executor)
    monkeypatch.setattr(executor, "work", lambda: (
        monkeypatch.setattr(run, "versions", lambda: {**mine, "torch": "1.0"}), _Reversed.work(executor)))
    with pytest.raises(TargetError, match=rf"a worker on .* has torch 1\.0 instead of {mine['torch'][:4]}"):
        list(records)


def test_a_worker_with_other_source_is_refused(cases: list[Case], monkeypatch: pytest.MonkeyPatch) -> None:
    executor, mine = _Reversed(), run.judged_by()
    records = run.audit(cases, ["reference"], executor=executor)
    monkeypatch.setattr(executor, "work", lambda: (
        monkeypatch.setattr(run, "judged_by", lambda: {**mine, "source": "edited"}), _Reversed.work(executor)))
    with pytest.raises(TargetError, match=rf"a worker on .* has source edited instead of {mine['source']}"):
        list(records)


def test_a_run_that_keeps_nothing_does_so_wherever_it_works(
        cases: list[Case], alone: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with nothing_kept(tmp_path, monkeypatch):
        executor = _Reversed()
        monkeypatch.setenv(store.VARIABLE, store.OFF)
        records = run.audit(cases, TARGETS, executor=executor)
        monkeypatch.setattr(executor, "work", lambda: (
            monkeypatch.setenv(store.VARIABLE, str(tmp_path)), _Reversed.work(executor)))
        assert [r.to_json() for r in records] == alone
        assert os.environ[store.VARIABLE] == str(tmp_path)
        kept = store.current()
        assert kept is not None
        assert len(kept) == 0


@pytest.mark.parametrize(("url", "message"), [
    ("spark://a:1", "unknown executor 'spark://a:1'; needed is dask://host:port"),
    ("localhost:8786", "unknown executor 'localhost:8786'"),
    ("dask://", "unknown executor 'dask://'"),
    pytest.param("dask://127.0.0.1:1", "no Dask scheduler answers at 127.0.0.1:1", marks=has_dask),
    pytest.param("dask://127.0.0.1:nonsense", "no Dask scheduler answers at 127.0.0.1:nonsense", marks=has_dask),
])
@pytest.mark.filterwarnings("ignore")
def test_an_executor_that_is_not_there_is_one_line(
        url: str, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
        tmp_path: Path) -> None:
    monkeypatch.setattr(executors, "TIMEOUT", 1)
    (tmp_path / "records.jsonl").write_text("of an earlier run")
    assert _oracle(monkeypatch, "audit", "ones_", "--target", "reference", "--executor", url, "--out",
                   str(tmp_path)) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"oracle: {message}")
    assert err.count("\n") == 1
    assert (tmp_path / "records.jsonl").read_text() == "of an earlier run"


def test_without_dask_the_reason_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ExecutorError, match=r"Dask is not installed; pip install 'torch-oracle\[dask\]'"), \
            executors.connect("dask://127.0.0.1:8786"):
        pass


def _oracle(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["oracle", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def test_a_process_that_dies_ends_the_run_with_one_line_and_it_is_resumed(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["audit", "hinge_embedding_loss", "--dtype", "float16", "--target", "reference", "-j", "2",
                 "--out", str(tmp_path)]
    append = RecordFile.append

    def deadly(file: RecordFile, *records: Record) -> None:
        append(file, *records)
        for child in multiprocessing.active_children():
            child.kill()

    with monkeypatch.context() as patch:
        patch.setattr(RecordFile, "append", deadly)
        assert _oracle(patch, *arguments) == 2
    assert capsys.readouterr().err == ("oracle: a worker process died, of too little memory perhaps; "
                                       "go on with --resume\n")
    lines = (tmp_path / "records.jsonl").read_bytes().count(b"\n")
    assert _oracle(monkeypatch, *arguments, "--resume") == 0
    assert 1 < lines < (tmp_path / "records.jsonl").read_bytes().count(b"\n")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """The address of a Dask scheduler, and its two workers, each a process."""
    file = tmp_path / "scheduler.json"
    options = {"cwd": tmp_path, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL,
               "env": {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(run.__file__).parents[2]),
                                                                    os.environ.get("PYTHONPATH", "")])}}
    dask = [sys.executable, "-m", "dask"]
    processes = [subprocess.Popen([*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
                                   "--scheduler-file", str(file)], **options)]  # type: ignore[call-overload]
    try:
        _wait(lambda: file.exists() and file.read_text().strip().endswith("}"))
        workers = [subprocess.Popen([*dask, "worker", "--scheduler-file", str(file), "--no-nanny", "--nthreads", "1",
                                     "--no-dashboard", "--host", "127.0.0.1"], **options)  # type: ignore[call-overload]
                   for _ in range(2)]
        processes += workers
        yield json.loads(file.read_text())["address"].removeprefix("tcp://"), workers
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _wait(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@has_dask
@pytest.mark.filterwarnings("ignore")
def test_a_dask_worker_killed_at_work_loses_nothing(
        cluster: tuple[str, list[subprocess.Popen[bytes]]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    address, workers = cluster
    from distributed import Client

    with Client(f"tcp://{address}", set_as_default=False) as client:
        _wait(lambda: len(client.scheduler_info()["workers"]) == 2)
    arguments = ["audit", "hinge_embedding_loss", "--dtype", "float16", "--target", "reference"]
    here, there = tmp_path / "here", tmp_path / "there"
    records = there / "records.jsonl"
    killed = []

    def kill() -> None:
        _wait(lambda: records.exists() and records.read_bytes().count(b"\n") > 20)
        workers[0].kill()
        killed.append(records.read_bytes().count(b"\n"))

    killer = threading.Thread(target=kill)
    killer.start()
    assert _oracle(monkeypatch, *arguments, "--executor", f"dask://{address}", "--out", str(there)) == 0
    killer.join()
    assert _oracle(monkeypatch, *arguments, "-j", "1", "--out", str(here)) == 0
    wanted, found = (path.read_bytes().splitlines()[1:] for path in (here / "records.jsonl", records))
    assert found == wanted
    assert workers[1].poll() is None
    assert killed[0] < len(wanted), "it was killed at work"
