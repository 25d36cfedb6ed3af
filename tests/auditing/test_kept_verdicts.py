"""Verdicts of earlier runs are taken again, and nothing else is: whatever a record follows from is looked at."""

from __future__ import annotations

import dataclasses
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oracle.auditing import judge, run, workers
from oracle.auditing.kept_verdicts import KeptVerdicts, fingerprint
from oracle.cases import case, registry
from oracle.cases.case import Case, parse
from oracle.keeping import store
from oracle.targets import loading, numpy_reference
from oracle.truth.evaluate import Outputs, Partial
from oracle.verdict import waivers
from oracle.verdict.compare import Finding, Verdict
from oracle.verdict.record import Record
from oracle.verdict.waivers import Waiver
from tests.kept import forget, nothing_kept

CASES = [parse(case_id) for case_id in ("mse_loss/float32/default", "cross_entropy/bfloat16/default",
                                        "LBFGS/float32/default", "normal_/float32/default", "SGD/float16/default")]
NAMES = ["reference", "torch:eager", "torch:fused"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to keep things in."""
    with nothing_kept(tmp_path, monkeypatch) as folder:
        yield folder


def _audit(names: list[str] = NAMES) -> list[str]:
    forget()
    return [record.to_json() for record in run.audit([parse(case.id) for case in CASES], names)]


def _refuse(*_: object, **__: object) -> Any:
    raise AssertionError("done again")


def test_a_second_run_judges_nothing_and_does_not_ask_the_references(monkeypatch: pytest.MonkeyPatch) -> None:
    first = _audit()
    for module, name in ((judge, "compare"), (judge, "truth_of"), (numpy_reference, "answers")):
        monkeypatch.setattr(module, name, _refuse)
    monkeypatch.setattr(Case, "result", property(_refuse))
    assert _audit() == first
    monkeypatch.setenv(store.VARIABLE, store.OFF)
    assert all(" done again" in line for line in _audit(["reference"]))  # the guards do guard


def test_another_answer_is_judged_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    first = [Record.from_json(line) for line in _audit()]
    answer = judge.answer

    def wrong(case: Case, target: Any) -> tuple[Outputs, Finding | None]:
        outputs, failure = answer(case, target)
        if target.name == "torch:eager" and failure is None:
            outputs = {name: array if array.dtype.kind == "i" else np.nextafter(array * 2, array.dtype.type(9))
                       for name, array in outputs.items()}
        return outputs, failure

    monkeypatch.setattr(run, "answer", wrong)
    for before, now in zip(first, map(Record.from_json, _audit()), strict=True):
        assert now.verdict == "exceeds" if now.target == "torch:eager" else now == before


def test_an_answer_that_comes_back_is_known_as_long_as_it_was_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES[0]
    recall = KeptVerdicts(case, "by this")
    recall.put("torch", "a", "one")
    two = "two\u2028\x85"  # ends of lines to Python, not in JSON
    recall.put("jax", "b", two)
    recall.put("numpy", None, "three")
    recall.save()
    recall = KeptVerdicts(case, "by this")
    assert [recall.get(*asked) for asked in (("torch", "a"), ("torch", "b"), ("jax", "b"), ("numpy", None))] == [
        "one", None, two, None]
    recall.put("torch", "b", "four")
    recall.save()
    recall = KeptVerdicts(case, "by this")
    assert [recall.get("torch", "a"), recall.get("torch", "b"), recall.get("jax", "b")] == [None, "four", two]
    assert KeptVerdicts(case, "by that").get("torch", "b") is None
    assert KeptVerdicts(CASES[1], "by this").get("torch", "b") is None


def test_other_waivers_and_other_sources_ask_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first = _audit()
    shipped = waivers.load()
    monkeypatch.setattr(judge, "compare", _refuse)
    assert _audit() == first
    monkeypatch.setattr(waivers, "load", lambda: [*shipped, Waiver("new", "no/*", "*", "*", "*", "none")])
    assert all("done again" in line for line in _audit() if "unsupported" not in line)
    monkeypatch.setattr(waivers, "load", lambda: shipped)
    source = run.source
    monkeypatch.setattr(run, "source", lambda *modules: source(*modules) + "changed")
    assert all("done again" in line for line in _audit() if "unsupported" not in line)


def test_a_damaged_entry_is_made_again(folder: Path) -> None:
    first = _audit()
    forget()
    file = store.current()
    assert file is not None
    assert file._file is not None
    file._file.execute("UPDATE kept SET value = value || 'x'")  # text now
    assert _audit() == first
    file._file.execute("UPDATE kept SET value = CAST(value || 'x' AS BLOB)")
    assert _audit() == first


def test_what_the_references_follow_from(monkeypatch: pytest.MonkeyPatch) -> None:
    mse, sgd = registry.get("mse_loss"), registry.get("SGD")
    known = loading.load(NAMES)[0]
    assert loading.follows_from(known.name, mse) == loading.follows_from(known.name, mse)
    assert loading.follows_from(known.name, mse) != loading.follows_from(known.name, sgd)
    assert loading.follows_from("torch:eager", mse) is None
    before = loading.follows_from(known.name, mse)
    numpy_reference._kernels.cache_clear()
    monkeypatch.setenv("NPY_DISABLE_CPU_FEATURES", "AVX2")
    assert loading.follows_from(known.name, mse) != before
    monkeypatch.undo()
    numpy_reference._kernels.cache_clear()


def test_what_the_c_library_gives_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    numpy_reference._kernels.cache_clear()
    before = numpy_reference._kernels()
    exp, *others = numpy_reference._FUNCTIONS

    def another(x: np.ndarray[Any, Any]) -> Any:
        return np.where(np.arange(x.size) == 7, np.nextafter(exp(x), x.dtype.type(0)), exp(x))

    monkeypatch.setattr(numpy_reference, "_FUNCTIONS", (another, *others))
    numpy_reference._kernels.cache_clear()
    assert numpy_reference._kernels() != before
    monkeypatch.undo()
    numpy_reference._kernels.cache_clear()


def test_a_failure_that_passes_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(numpy_reference, "answers", _refuse)
        assert all('"crashed"' in line for line in _audit(["reference"]))
    assert not any('"crashed"' in line for line in _audit(["reference"]))


def test_a_digest_tells_answers_apart() -> None:
    one = np.arange(6, dtype=np.float32)
    answers: list[Any] = [
        {"a": one}, {"b": one}, {"a": one.reshape(2, 3)}, {"a": one.reshape(3, 2)}, {"a": one.view(np.int32)},
        {"a": one, "b": one}, {"a": -one}, {}, Partial({"a": one}), {"a": np.nextafter(one, np.float32(9))}]
    digests = [fingerprint(answer, None) for answer in answers]
    digests += [fingerprint({}, Finding("", verdict, note=note)) for verdict in (Verdict.UNSUPPORTED, Verdict.CRASHED)
                for note in ("this", "that")]
    assert None not in digests
    assert len(set(digests)) == len(digests)
    assert fingerprint({"a": one.copy()}, None) == digests[0]


@pytest.mark.parametrize("answer", [None, [np.ones(2)], {"a": 1.0}, {"a": np.array([object()])}])
def test_an_answer_not_made_of_arrays_has_no_digest(answer: Any) -> None:
    assert fingerprint(answer, None) is None


@pytest.mark.parametrize("case_id", ["cross_entropy/float32/default", "ctc_loss/float64/default", "mse_loss/float16/"
                                     "shape=0", "adaptive_log_softmax_with_loss/float32/default"])
def test_the_form_of_a_loss_is_kept(case_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = parse(case_id)
    asked = first.grad_output, first.differentiated
    with monkeypatch.context() as patch:
        patch.setattr(Case, "result", property(_refuse))
        again = parse(case_id)
        assert repr((again.grad_output, again.differentiated)) == repr(asked)
    spec = registry.get(first.spec.name)
    monkeypatch.setattr(Case, "result", property(_refuse))
    changed = Case(dataclasses.replace(spec), first.dtype, first.options)  # not the one whose source it is
    with pytest.raises(AssertionError, match="done again"):
        _ = changed.grad_output
    assert case.parse(case_id).differentiated == asked[1]


def _seen(name: str) -> str | None:
    return os.environ.get(name)


def test_workers_have_the_environment_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those that are forked from a process that is older."""
    workers.warm([])
    for value in ("one", "two"):
        monkeypatch.setenv("ORACLE_TEST_OF_WORKERS", value)
        with workers.pool(1) as pool:
            assert pool.submit(_seen, "ORACLE_TEST_OF_WORKERS").result() == value


def _hears_interrupts() -> bool:
    return signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_workers_are_forked_from_lets_an_interrupt_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would end in a traceback of its own, beside the one line of the command."""
    before, then = signal.getsignal(signal.SIGINT), []
    monkeypatch.setattr(workers.forkserver, "ensure_running", lambda: then.append(signal.getsignal(signal.SIGINT)))
    workers.warm([])
    assert then == [signal.SIG_IGN]
    assert signal.getsignal(signal.SIGINT) is before
    monkeypatch.undo()
    with workers.pool(1) as pool:
        assert pool.submit(_hears_interrupts).result()
