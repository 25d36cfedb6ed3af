"""Every op stands in the surroundings that it can stand in, and in no other."""

from __future__ import annotations

import pytest

from oracle.cases import registry
from oracle.cases.spec import InitSpec, LossSpec, OptimSpec, Spec
from oracle.cases.surroundings.events import EVENTS
from oracle.cases.surroundings.fitting import is_laid_out, misfit, settable
from oracle.cases.surroundings.memory import LAYOUTS
from oracle.cases.surroundings.shipped import FEW_SIZES, LONG_SIZE, MANY, SIZES, surrounded

SPECS = [pytest.param(spec, id=name) for name, spec in registry.specs().items()]


@pytest.mark.parametrize("spec", SPECS)
def test_all_of_them_fit(spec: Spec) -> None:
    for dtype in spec.dtypes:
        found = surrounded(spec, dtype, long=True)
        assert found
        assert all(not misfit(spec, options, dtype, around) for options, around in found)
        assert all(spec.allowed(options, dtype) for options, _ in found)
        assert len({(tuple(options.values()), around) for options, around in found}) == len(found)


@pytest.mark.parametrize("spec", SPECS)
def test_long_sizes_are_for_whoever_asks(spec: Spec) -> None:
    short, long = (surrounded(spec, "float32", long=asked) for asked in (False, True))
    more = [around for options, around in long if (options, around) not in short]
    assert all(around.size == str(LONG_SIZE) for around in more)
    assert short == [one for one in long if one in short]


@pytest.mark.parametrize("spec", SPECS)
def test_sizes_stand_beside_every_op_that_has_them(spec: Spec) -> None:
    sizes = {around.size for _, around in surrounded(spec, "float32")}
    if isinstance(spec, LossSpec) and spec.independent:
        assert {str(n) for n in SIZES} <= sizes
    elif isinstance(spec, OptimSpec):
        assert {str(n) for n in SIZES} <= sizes if spec.elementwise and "sparsity" not in spec.defaults else True
        assert spec.elementwise or sizes - {""}
    elif isinstance(spec, InitSpec) and 1 in spec.lengths:
        assert {str(n) for n in SIZES if n < 5000} <= sizes


@pytest.mark.parametrize("spec", [p for p in SPECS if isinstance(p.values[0], LossSpec)])
def test_sums_have_sizes(spec: LossSpec) -> None:
    """Of a mean nearly all, and in float16 one of more terms than the type counts."""
    if spec.whole is None or 1 not in spec.whole.lengths:
        return
    for dtype, wanted in (("float32", (*SIZES[:-3], SIZES[-1])), ("float16", (*FEW_SIZES, MANY))):
        if dtype in spec.dtypes:
            sizes = {around.size for options, around in surrounded(spec, dtype) if options["reduction"] == "mean"}
            assert {str(n) for n in wanted} <= sizes


@pytest.mark.parametrize("spec", [p for p in SPECS if isinstance(p.values[0], OptimSpec)])
def test_each_event_and_each_option_stands_beside_an_optimizer(spec: OptimSpec) -> None:
    found = {around.event for _, around in surrounded(spec, "float32")}
    for name, event in EVENTS.items():
        without_groups = event.groups and "groups" not in spec.labels["layout"]
        without_arrays = event.arrays and not set(spec.in_arrays).difference(spec.fixed)
        with_closure = event.closure and "objective" in spec.defaults
        if event.of_losses or without_groups or without_arrays or with_closure or event.scaled > spec.scales:
            continue
        assert any(e.partition(":")[0] == name for e in found), name
    if not EVENTS["option"].groups:
        axes = settable(spec, {**spec.defaults, "start": "zero", "steps": 2}, "float32", "option")
        assert {f"option:{axis}" for axis in axes} <= found


@pytest.mark.parametrize("spec", SPECS)
def test_each_layout_stands_beside_an_op(spec: Spec) -> None:
    found = {around.memory.partition(":")[0] for _, around in surrounded(spec, "float32")}
    left_out = {"contiguous", "broadcast", "channels_last", "transposed", "complex"}
    assert set(LAYOUTS) - left_out <= found | ({"strided", "offset", "reversed"} if isinstance(spec, InitSpec)
                                               and 2 not in spec.lengths else set())


@pytest.mark.parametrize("spec", [spec for spec in SPECS if isinstance(spec.values[0], OptimSpec)])
def test_complex_parameters_stand_beside_elementwise_optimizers(spec: Spec) -> None:
    assert isinstance(spec, OptimSpec)
    found = {around.size for _, around in surrounded(spec, "float32") if around.is_complex}
    assert found >= {"33x17x2"} if is_laid_out(spec, spec.defaults) else not found


def test_half_types_have_fewer() -> None:
    for spec in registry.specs().values():
        if "bfloat16" in spec.dtypes:
            assert len(surrounded(spec, "bfloat16")) < len(surrounded(spec, "float32"))
