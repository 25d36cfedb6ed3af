"""What an op declares about itself: frozen records that tests, audit, benchmarks and docs all read.

A spec names its op as torch does, says along which axes its inputs vary (:class:`Axis`), how the
inputs of one combination are drawn, which inputs are refused (:class:`Refusal`), and where the
formula lives. Cases, tests, benchmarks and tables are made from it and from nothing else.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import numpy as np

    from reference.losses._module import LossModule
    from reference.optim import Optimizer, SparseGrad

__all__ = ["DTYPES", "Axis", "InitSpec", "Limits", "LossSpec", "Objective", "OptimSpec", "Options", "ParamGroup",
           "Refusal", "Spec", "Trajectory", "Whole"]

#: One value for each axis of a spec, by the axis's name.
Options = Mapping[str, Any]

#: The storage types that cases come in, widest first.
DTYPES = ("float64", "float32", "float16", "bfloat16")


@dataclass(frozen=True)
class Axis:
    """One dimension along which an op's cases vary; the first value is the default.

    Values are what a case id shows (``str`` of the value), so they are short and distinct.
    """

    name: str
    values: tuple[Hashable, ...]
    about: str = ""
    costly: tuple[Hashable, ...] = ()
    """Values that stand once beside each value of the other axes in float32, beside defaults in other types."""
    early: bool = False
    """Does what its values change show in the first steps? Costly values need not stand beside each of them."""


@dataclass(frozen=True)
class Limits:
    """The figures of a storage type by which a regime chooses its magnitudes."""

    dtype: str  #: one of :data:`DTYPES`
    eps: float  #: distance from 1 to the next number
    tiny: float  #: smallest normal number
    max: float  #: largest finite number


@dataclass(frozen=True)
class Refusal:
    """An input that has to be refused: by the reference, and by torch with the same kind of error."""

    why: str
    arguments: Mapping[str, Any]  #: keyword arguments; arrays are NumPy arrays
    raises: type[Exception]
    match: str  #: regular expression found in the reference's message
    torch_raises: type[Exception] | None = None  #: where torch's kind differs; the reason is in ``why``


@dataclass(frozen=True)
class ParamGroup:
    """Start values of one parameter group, and the options that override the defaults for it."""

    params: tuple[np.ndarray[Any, Any], ...]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Objective:
    r"""What a closure evaluates: :math:`g^T\theta + \frac12 |A\theta - b|^2 + \frac{c}{4} \sum \theta^4`.

    The vector g holds the gradients that the trajectory gives for the step; without ``blocks`` the rest is
    not there. It is written in operators and methods that arrays, balls and tensors share. Where there are
    ``answers``, these are what it evaluates to, whatever the parameters are: as exact as inputs are, they lead
    a line search anywhere, and no error grows from one evaluation to the next.
    """

    blocks: tuple[Any, ...] = ()  #: the columns of A, those of each parameter by themselves
    target: Any = None  #: b
    quartic: Any = 0.0  #: c
    answers: tuple[tuple[Any, tuple[Any, ...]], ...] = ()
    """Value, and gradient for each parameter: one for each evaluation of a step, then from the first again."""

    def converted(self, convert: Callable[[Any], Any]) -> Objective:
        """The objective with each array converted."""
        return Objective(tuple(map(convert, self.blocks)), None if self.target is None else convert(self.target),
                         self.quartic,
                         tuple((convert(value), tuple(map(convert, slopes))) for value, slopes in self.answers))

    def __call__(self, thetas: Sequence[Any], gradients: Sequence[Any]) -> tuple[Any, list[Any]]:
        """Value, and gradient for each parameter; ``None`` where one is not given."""
        value = sum((g * theta).sum() for g, theta in zip(gradients, thetas, strict=True) if g is not None)
        if not self.blocks:
            return value, list(gradients)
        residual = -self.target
        for block, theta in zip(self.blocks, thetas, strict=True):
            residual = residual + block @ theta.reshape(-1)
        value = value + (residual * residual).sum() / 2
        slopes = []
        for block, theta, g in zip(self.blocks, thetas, gradients, strict=True):
            cube = theta * theta * theta
            value = value + self.quartic * (cube * theta).sum() / 4
            slopes.append(g + (block.T @ residual).reshape(theta.shape) + self.quartic * cube)
        return value, slopes


@dataclass(frozen=True)
class Trajectory:
    """All that an optimizer sees in one case: where it starts, and every gradient of every step."""

    groups: tuple[ParamGroup, ...]
    defaults: Mapping[str, Any]  #: keyword arguments of the optimizer's constructor
    gradients: tuple[tuple[np.ndarray[Any, Any] | SparseGrad | None, ...], ...]  #: one entry a step, one a parameter
    objective: Objective | None = None  #: what a closure evaluates, for an optimizer that has to have one
    settings: tuple[tuple[int, Mapping[str, Any]], ...] = ()
    """Options that all groups are given before a step, by the number of that step."""
    joins: int = 0  #: the number of the step before which the last group is added


def _nothing_more(classes: int) -> float:
    return 0.0


@dataclass(frozen=True)
class Whole:
    """How a loss is made larger whose terms are summed: from terms that are small whole numbers.

    Every partial sum is then exact in every order, so that one element that is dropped or doubled shows.
    """

    draw: Callable[[Options, tuple[int, ...], np.random.Generator, Limits], dict[str, Any]]
    """Array arguments of a size: the shape of elements, or a number of rows; with a second number of classes."""
    beside: tuple[Options, ...] = ({},)  #: what is not at its default, ``reduction`` apart
    lengths: tuple[int, ...] = (1,)  #: of how many numbers a size may consist where rows are independent
    slopes: Callable[[int], float] = _nothing_more
    """Units that a gradient may lose beside, by the number of classes. Where a probability is the exponential of a
    rounded logarithm, it is as many as the logarithm; where a gradient is a sum over classes, as many as these."""


def _always(options: Options, dtype: str) -> bool:
    return True


def _never(options: Options) -> bool:
    return False


@dataclass(frozen=True, kw_only=True, eq=False)
class Spec:
    """The part that every kind of op has in common."""

    kind: ClassVar[str]
    stacked: ClassVar[bool] = False  #: do outputs have a leading axis of steps?
    name: str  #: torch's name, e.g. ``cross_entropy`` or ``Adam``
    torch_names: tuple[str, ...]  #: dotted public names, the one that is called first
    axes: tuple[Axis, ...]
    allowed: Callable[[Options, str], bool] = _always  #: may this combination occur in this dtype?
    strength: int = 2  #: every combination of so many axis values occurs together in some case
    thorough: tuple[str, ...] = DTYPES  #: the types in which that is so; in others every pair does
    extra: tuple[Options, ...] = ()
    """Combinations beside these: what is not at its default. Values may be others than the axis has."""
    long: tuple[Options, ...] = ()
    """Combinations of the same kind that take so long that they are run only where that is asked for."""
    dtypes: tuple[str, ...] = DTYPES
    refusals: tuple[Refusal, ...] = ()
    slower: str = ""  #: where it takes more than twice torch's time, and why that is measured to be so
    surrounded: tuple[Options, ...] = ({},)
    """What is not at its default in the cases beside which surroundings stand: between them they use all there is."""

    @cached_property
    def defaults(self) -> Options:
        """The default value of each axis."""
        return MappingProxyType({axis.name: axis.values[0] for axis in self.axes})

    @cached_property
    def labels(self) -> Mapping[str, Mapping[str, Any]]:
        """All values of each axis, by what the name of a case calls them."""
        rows = (*self.extra, *self.long)
        return {axis.name: {str(value): value for value in (
            *axis.values, *(row[axis.name] for row in rows if axis.name in row))} for axis in self.axes}

    @property
    def implementation(self) -> Callable[..., Any]:
        """What users call: the function, or the optimizer's class."""
        raise NotImplementedError

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """The names of its arguments, in order."""
        return tuple(inspect.signature(self.implementation).parameters)


@dataclass(frozen=True, kw_only=True, eq=False)
class LossSpec(Spec):
    """A loss: the function, its gradient, and what ``torch.nn`` calls its module."""

    kind: ClassVar[str] = "loss"
    function: Callable[..., Any]
    backward: Callable[..., Any]
    module: str  #: name of the class in ``torch.nn``
    draw: Callable[[Options, np.random.Generator, Limits], dict[str, Any]]
    """Keyword arguments of one case. Floating arrays may be float64: the case rounds them."""
    arrays: tuple[str, ...]  #: array arguments, in the order in which ``backward`` returns their gradients
    sized: Callable[[int, np.random.Generator], dict[str, Any]]  #: arguments of about n elements, to time
    kinks: Callable[[Options], bool] = _never
    """Does this combination sit where the gradient is torch's convention and no derivative?"""
    exact: Callable[[Options], bool] = _never
    """Does this combination hold numbers so small and whole that every step is exact in every type, however the formula
    is written? Then an evaluation is charged with the final rounding alone, and a branch that it meets is decided."""
    whole: Whole | None = None  #: how it is drawn of any size, where terms are summed
    independent: str = "rows"
    """What of a result that is not reduced depends on nothing else: ``elements`` of arrays, ``rows`` along their first
    axis, or nothing (an empty text)."""
    potential: Callable[..., Any] | None = None
    """What ``backward`` is the derivative of, where torch's gradient is not that of the function."""
    held: Callable[[Mapping[str, Any]], tuple[dict[str, Any], dict[str, str]]] | None = None
    """Of a module with parameters: from a call's arguments those of its constructor, and which parameter (by torch's
    name) holds which array (by its path, such as ``tail[0][1]``)."""
    elementwise: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Of a loss with one element for each of its first array: further arguments to go through all of a type's numbers
    with, by a label. Numbers stand for whole arrays."""
    domain: tuple[float, float] = (-math.inf, math.inf)  #: the numbers that its first array may hold
    upstream: tuple[float, float] = (0.5, 2.0)  #: the interval that gradients from above are drawn from
    omitted: tuple[str, ...] = ()  #: arguments of torch that choose an implementation, a device, and no rule
    older_modules: tuple[str, ...] = ()  #: further classes of ``torch.nn``, deprecated ones

    @property
    def implementation(self) -> Callable[..., Any]:
        return self.function

    @property
    def module_arguments(self) -> Mapping[str, Any]:
        """Arguments of the function that the constructor of its module takes, with defaults, in torch's order."""
        # Not imported above: then each case would follow from the source of every loss.
        module: type[LossModule] = getattr(import_module("reference.losses"), self.module)
        return module.defaults


@dataclass(frozen=True, kw_only=True, eq=False)
class OptimSpec(Spec):
    """An optimizer: its class, and the trajectories it is run through."""

    kind: ClassVar[str] = "optim"
    stacked: ClassVar[bool] = True
    thorough: tuple[str, ...] = ("float64", "float32")
    """How options act together shows in these types; half types have short trajectories, and wide bounds."""
    optimizer: type[Optimizer]
    draw: Callable[[Options, np.random.Generator, Limits], Trajectory]
    elementwise: bool = True  #: is each element's update independent of all others?
    sizes: Mapping[str, Options] = field(default_factory=dict)
    """Shapes of a first parameter that is drawn so large, where updates are not independent: each with what is not at
    its default beside it, so that something can be proved."""
    fixed: tuple[str, ...] = ()  #: axes whose option is read when state is made, and not at each step
    in_arrays: tuple[str, ...] = ("lr",)  #: axes whose option torch takes as a tensor too
    scales: bool = False  #: can one of torch's implementations divide gradients that were scaled?
    sized: Mapping[str, Any] = field(default_factory=dict)  #: constructor arguments to time it with

    @property
    def implementation(self) -> Callable[..., Any]:
        return self.optimizer


@dataclass(frozen=True, kw_only=True, eq=False)
class InitSpec(Spec):
    """An initializer: the function, and the shapes and arguments it is called with."""

    kind: ClassVar[str] = "init"
    function: Callable[..., Any]
    draw: Callable[[Options, np.random.Generator, Limits], dict[str, Any]]
    """Keyword arguments of one case; ``shape`` stands for the array, which the case makes."""
    sized: Callable[[int], dict[str, Any]]  #: arguments for about n elements, ``shape`` among them
    lengths: tuple[int, ...] = (2, 3, 4, 5)  #: of how many numbers a size may consist: the axes of a tensor
    decided: tuple[str, ...] = DTYPES  #: the types in which a tensor of any size is decided
    bitwise: tuple[str, ...] = DTYPES
    """The types in which its numbers are torch's to the last bit: on torch's path for x86 CPUs with AVX2 or more, and
    in float64 where NumPy's sine and cosine are the C library's."""

    @property
    def implementation(self) -> Callable[..., Any]:
        return self.function
