"""JUnit XML is of the form that CI systems read, with every verdict."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from oracle.report import junit
from oracle.report.digest import Digest
from tests import runs
from tests.report.pages import HEAD, HOSTILE, hostile, small

pytest_plugins = ["pytester"]


def _shape(root: ElementTree.Element) -> set[tuple[str, str]]:
    """Elements with their parents, and elements with their attributes."""
    shape: set[tuple[str, str]] = set()
    for parent in root.iter():
        shape |= {(parent.tag, f"/{child.tag}") for child in parent} | {(parent.tag, name) for name in parent.attrib}
    return shape


def test_junit_uses_only_what_pytest_itself_writes(pytester: pytest.Pytester) -> None:
    """What CI systems read is what the most used of test runners writes."""
    pytester.makepyfile("import pytest\ndef test_a(): pass\ndef test_b(): assert 0\n@pytest.mark.skip\n"
                        "def test_c(): pass\n@pytest.fixture\ndef broken(): raise OSError\ndef test_d(broken): pass")
    pytester.runpytest_inprocess("--junitxml=theirs.xml", "-p", "no:cacheprovider")
    theirs = _shape(ElementTree.parse(pytester.path / "theirs.xml").getroot())
    # `type` of a failure is in the schema of JUnit; pytest has it on what is skipped alone.
    theirs |= {("failure", "type"), ("error", "type")}
    theirs |= {("testsuites", name) for element, name in theirs if element == "testsuite" and "/" not in name}
    crash = replace(runs.disagreement("Adam/float32/default", "torch:eager"), verdict="crashed")
    ours = ElementTree.fromstring(junit.render(Digest(HEAD, [*small().records, crash])))
    assert _shape(ours) - theirs == set()
    assert {("testcase", "/failure"), ("testcase", "/error"), ("testcase", "/skipped")} <= _shape(ours)
    assert _shape(ElementTree.fromstring("<testsuites><test/></testsuites>")) - theirs


def test_junit_counts_are_those_of_the_records() -> None:
    one = small()
    root = ElementTree.fromstring(junit.render(one))
    skipped = sum(one.counts[name] for name in ("waived", "unsupported", "vacuous", "undecided"))
    assert root.attrib == {"name": "torch-oracle", "tests": str(len(one.records)), "failures": "1", "errors": "0",
                           "skipped": str(skipped)}
    for name, tag in (("tests", "testcase"), ("failures", "failure"), ("skipped", "skipped")):
        assert sum(int(suite.attrib[name]) for suite in root) == len(list(root.iter(tag))) == int(root.attrib[name])
    (failure,) = root.iter("failure")
    assert "got nan, truth 1.5" in (failure.text or "")


def test_junit_holds_any_text() -> None:
    root = ElementTree.fromstring(junit.render(Digest(HEAD, hostile())))
    (failure,) = root.iter("failure")
    assert HOSTILE.replace("\x07", "\ufffd") in failure.attrib["message"]
