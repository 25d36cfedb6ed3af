"""What is public: every name of it can be imported, says what it is for, and costs nothing unasked."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys

import pytest

import oracle
import reference


@pytest.mark.parametrize("name", oracle.__all__)
def test_a_public_name_can_be_imported_and_says_what_it_is(name: str) -> None:
    assert inspect.getdoc(getattr(oracle, name))
    assert name in dir(oracle)


def test_the_package_lists_what_is_public() -> None:
    assert oracle.__doc__ is not None
    listed = re.findall(r"^``(\w+)`` ", oracle.__doc__, flags=re.MULTILINE)
    assert sorted(listed) == sorted(oracle.__all__)


def test_no_public_name_is_that_of_a_module() -> None:
    assert not {module.name for module in pkgutil.iter_modules(oracle.__path__)} & set(oracle.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'oracle' has no attribute 'chek'"):
        oracle.chek  # noqa: B018


def test_the_package_by_itself_imports_nothing() -> None:
    code = ("import sys\nimport oracle\n"
            "assert 'numpy' not in sys.modules\n"
            "assert [name for name in sys.modules if name.startswith('oracle')] == ['oracle']")
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_case_is_explained() -> None:
    text = oracle.explain("mse_loss/float32/reduction=sum")
    assert text.startswith("mse_loss/float32/reduction=sum\n")
    assert "torch:eager: " in text
    with pytest.raises(oracle.TargetError, match="torch:fused has no meaning for mse_loss"):
        oracle.explain("mse_loss/float32/default", ["torch:fused"])


def test_selected_cases_are_audited() -> None:
    cases = oracle.select(["eye_"], ["float32"])
    assert [record.case for record in oracle.audit(cases, ["reference"])] == [case.id for case in cases]


def test_the_references_list_what_is_public() -> None:
    assert reference.__doc__ is not None
    listed = re.findall(r"^``(reference\.[\w.]+)`` ", reference.__doc__, flags=re.MULTILINE)
    beside = [f"reference.optim.{name}" for name in ("lr_scheduler", "swa_utils", "clip_grad", "grad_scaler")]
    assert listed == ["reference.losses", "reference.optim", *beside, "reference.init", "reference.random"]
    for module in listed:
        assert importlib.import_module(module).__all__
