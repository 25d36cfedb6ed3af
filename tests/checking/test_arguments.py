"""Options that cannot be meant are refused with what is needed and what came; none is a traceback or a verdict."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import oracle
from oracle.auditing import run
from oracle.cli.app import main


def _mse(input: Any, target: Any) -> Any:
    return ((input - target) ** 2).mean()


#: Option, what cannot be meant, kind of error, message.
REFUSED = [
    ("timeout", -1, ValueError, "timeout needs a number of seconds above 0, got -1"),
    ("timeout", 0, ValueError, "timeout needs a number of seconds above 0, got 0"),
    ("timeout", math.nan, ValueError, "timeout needs a number of seconds above 0, got nan"),
    ("timeout", math.inf, ValueError, "timeout needs a number of seconds above 0, got inf"),
    ("timeout", "3", TypeError, "timeout needs a number of seconds, got '3' of type str"),
    ("timeout", None, TypeError, "timeout needs a number of seconds, got None of type NoneType"),
    ("timeout", True, TypeError, "timeout needs a number of seconds, got True of type bool"),
    ("memory", -1, ValueError, "memory needs a number of bytes from 1 to"),
    ("memory", 10**30, ValueError, "memory needs a number of bytes from 1 to"),
    ("memory", 1e9, TypeError, "memory needs a whole number of bytes, or None for no limit, got 1000000000.0 of type"),
    ("memory", math.nan, TypeError, "memory needs a whole number of bytes, or None for no limit, got nan of type flo"),
    ("modes", ["a"], TypeError, r"modes needs a mapping from arguments to lists of values, got \['a'\] of type list"),
    ("modes", "reduction=mean", TypeError, "modes needs a mapping from arguments to lists of values, got 'red"),
    ("modes", {"reduction": "mean"}, ValueError, r"modes\['reduction'\] needs a list of values, got 'mean'"),
    ("modes", {"reduction": []}, ValueError, r"modes\['reduction'\] needs one value at least, got \[\]"),
    ("modes", {"reduction": 3}, ValueError, r"modes\['reduction'\] needs a list of values, got 3"),
    ("modes", {3: ["a"]}, ValueError, "modes has 3, which is no argument and no axis of mse_loss"),
    ("dtypes", "float32", TypeError, r"dtypes needs a list of storage types, such as \['float32'\], got 'float32' of"),
    ("dtypes", 3, TypeError, r"dtypes needs a list of storage types, such as \['float32'\], got 3 of type int"),
    ("dtypes", [np.float32], TypeError, "dtypes needs names of storage types, got <class 'numpy.float32'> of type"),
    ("dtypes", ["float8"], ValueError, "unknown dtype 'float8'; mse_loss has"),
    ("framework", None, TypeError, "framework needs the name of a framework, got None of type NoneType"),
    ("framework", np, TypeError, "framework needs the name of a framework, got <module 'numpy'"),
    ("device", 0, TypeError, "device needs the name of a device, got 0 of type int"),
    ("accuracy", "exact", ValueError, "accuracy needs to be 'opmath' or 'storage', got 'exact'"),
    ("accuracy", ["storage"], ValueError, r"accuracy needs to be 'opmath' or 'storage', got \['storage'\]"),
    ("state", ["exp_avg"], TypeError, "state needs a mapping from torch's names of state to others, got"),
    ("state", {"exp_avg": 3}, TypeError, r"state needs names, got \('exp_avg', 3\) of type tuple"),
    ("backward", True, TypeError, "backward needs a function, the place of one, False or None, got True of type bool"),
    ("backward", [_mse], TypeError, "backward needs a function, the place of one, False or None, got"),
    ("stream", "no", TypeError, "stream needs True, False or None, got 'no' of type str"),
    ("all_cases", "no", TypeError, "all_cases needs True or False, got 'no' of type str"),
    ("on_case", None, TypeError, "on_case needs a function, got None"),
]


@pytest.mark.parametrize(("option", "value", "kind", "message"), REFUSED)
def test_check_refuses_what_cannot_be_meant(option: str, value: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=f"^{message}"):
        oracle.check("mse_loss", _mse, **{"framework": "numpy", option: value})


@pytest.mark.parametrize(("option", "value", "kind", "message"), [row for row in REFUSED if row[0] != "on_case"])
def test_conformance_refuses_it_too_and_before_a_test_runs(option: str, value: Any, kind: type[Exception],
                                                           message: str) -> None:
    with pytest.raises(kind, match=message):
        oracle.conformance("mse_loss", _mse, **{"framework": "numpy", option: value})


@pytest.mark.parametrize("op", [None, 3, ["mse_loss"]])
def test_an_op_has_a_name(op: Any) -> None:
    for judge in (oracle.check, oracle.conformance):
        with pytest.raises(TypeError, match="op needs torch's name of an op, got "):
            judge(op, _mse, framework="numpy")


def test_limits_that_are_wide_are_limits() -> None:
    modes = {"reduction": ["mean"], "weight": ["none"], "shape": ["3x4"], "regime": ["moderate"]}
    for limits in ({"timeout": 1e300, "memory": 2**62}, {"timeout": np.float64(20), "memory": None}):
        assert oracle.check("mse_loss", _mse, framework="numpy", dtypes=["float32"], modes=modes, **limits).passed


@pytest.mark.parametrize(("arguments", "kind", "message"), [
    ({"jobs": 10**20}, ValueError, "jobs needs 1 to 1024 processes, got 100000000000000000000"),
    ({"jobs": 0}, ValueError, "jobs needs 1 to 1024 processes, got 0"),
    ({"jobs": 2.0}, TypeError, "jobs needs a whole number of processes, got 2.0 of type float"),
    ({"target_names": "reference"}, TypeError, "target_names needs a list of names, got 'reference' of type str")])
def test_an_audit_refuses_it(arguments: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=f"^{message}$"):
        list(run.audit([], **{"target_names": ["reference"], **arguments}))


CHECK = ["check", "math:exp", "--as", "mse_loss", "--framework", "numpy"]


@pytest.mark.parametrize("arguments", [
    *(["audit", "mse_loss", "-j", jobs] for jobs in ("100000000000000000000", "1025", "0", "-1", "1.5", "x")),
    *(["prove", "mse_loss", "-j", jobs] for jobs in ("100000000000000000000", "0")),
    *(["prove", "mse_loss", "--max", most] for most in ("-1", "nan")),
    *([*CHECK, "--timeout", seconds] for seconds in ("nan", "inf", "-inf", "-1", "0", "x")),
    *([*CHECK, "--memory", gib] for gib in ("nan", "inf", "1e300", "-1", "0", "1e12"))])
def test_the_command_line_refuses_numbers_in_one_line(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["oracle", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    err = capsys.readouterr().err
    assert end.value.code == 2
    assert err.startswith("oracle: ")
    assert err.count("\n") == 1
    assert arguments[-2].lstrip("-") in err or "jobs" in err


@pytest.mark.skipif(sys.platform == "win32", reason="a shell that closes standard output")
@pytest.mark.parametrize(("redirected", "status", "said"), [
    (">&-", 2, "oracle: standard output is closed"), (">&- 2>&-", 2, ""), ("<&-", 0, ""), ("2>&-", 0, "")])
def test_closed_streams_are_no_verdict(redirected: str, status: int, said: str) -> None:
    done = subprocess.run(["sh", "-c", f"{sys.executable} -m oracle list mse_loss {redirected}"], capture_output=True,
                          text=True)
    assert (done.returncode, done.stderr[:len(said) or None]) == (status, said)


def test_a_fault_of_its_own_is_no_verdict(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("by mistake")

    monkeypatch.setattr("oracle.cases.selection.select", broken)
    monkeypatch.setattr(sys, "argv", ["oracle", "list"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith("oracle: not judged: fault of the oracle: ZeroDivisionError: by mistake in test_")
    assert err.count("\n") == 1
