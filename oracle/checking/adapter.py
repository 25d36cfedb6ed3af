"""An implementation that someone hands in, as a target: called as torch's, on the arrays of its framework.

What a framework's arrays are is told by a :class:`Kit`, one file each. How an implementation is called:

* a **loss** as ``torch.nn.functional``'s: arguments that torch has no default for by position, others by
  keyword, those at torch's default not at all;
* an **optimizer** as ``torch.optim``'s class is made and stepped; or as a pair of functions
  ``init(params) -> state`` and ``update(grads, state, params) -> (updates, state)``, an object or a tuple that
  has these two, or a function of hyperparameters (by torch's names) that gives one. In NumPy ``params`` of a
  class is a list of :class:`reference.optim.Parameter`, or of groups of these: each has ``data``, which ``step()``
  changes in place, and ``grad``, an array, a :class:`reference.optim.SparseGrad` or None. States may be made in the
  constructor, at the first step or at the first gradient, and need not be there at all;
* an **initializer** as ``torch.nn.init``'s: it fills the array that it is given and returns it; in JAX it gives a
  new one. Or as JAX and Flax write it: ``init(key, shape, dtype)``, told by the names ``key`` or ``rng`` and ``shape``
  of its first parameters, or a function of hyperparameters (by torch's names) that gives one. A shape is torch's:
  (out, in, *kernel). Before each case the framework's own random numbers start anew: ``np.random.seed`` was called, or
  ``torch.manual_seed``. A generator of torch's or NumPy's is one for all calls; a JAX key is another in each call.

A gradient comes from the framework, or from ``backward(grad_output, <the arguments of the loss>)``, which returns
one array for each array argument, in their order: a tuple, or the array alone where there is one. None stands for
an argument without a gradient, such as a target of class indices.

What an implementation has no keyword for, or refuses with ``NotImplementedError``, is unsupported.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial, singledispatchmethod
from importlib import import_module
from typing import Any, Protocol

import numpy as np

from reference.optim import SparseGrad

from ..cases.case import Case, leaf, leaves
from ..cases.spec import InitSpec, LossSpec, OptimSpec, Spec
from ..targets.loading import TargetError, Unsupported
from ..truth.evaluate import Outputs, closures, empty_tensor, entries, stack_steps, take_seeds
from ..verdict.distribution import CLAIMS
from .shaped import shaped

__all__ = ["KITS", "Implementation", "Kit", "Misbehaved", "User", "differing_defaults", "kit", "leaves_to_default"]

Array = np.ndarray[Any, Any]

#: Framework -> module of this package that knows its arrays.
KITS = {"numpy": "adapter_numpy", "torch": "adapter_torch", "jax": "adapter_jax"}

#: The frameworks that give gradients of their own.
DIFFERENTIATING = ("torch", "jax")

#: Numbers that are drawn to judge a distribution, and calls at most.
DRAWS, CALLS = 100_000, 1000


class Misbehaved(Exception):  # a verdict, not an error
    """An implementation did something that a caller has to be safe from; the message says what."""


class Kit(Protocol):
    """A framework's arrays."""

    shares_stream: bool  #: does it draw torch's numbers from torch's seed?
    has_default: bool  #: has it a generator of its own, where none is handed over?

    def array(self, array: Array | SparseGrad) -> Any:
        """An array of the framework, with a copy of the numbers."""

    def numpy(self, value: Any) -> Array:
        """A NumPy array of the same dtype; ``TypeError`` where the value is no array of the framework."""

    def shares_memory(self, a: Any, b: Any) -> bool:
        """Is some memory of two arrays the same?"""

    def gradients(self, call: Callable[[Mapping[str, Any]], Any], arguments: Mapping[str, Any], paths: Sequence[str],
                  upstream: Sequence[Any]) -> tuple[Any, dict[str, Any]]:
        """The result of a call, and its gradients, by path of the argument; what has none is left out."""

    def parameter(self, array: Array) -> Any:
        """What an optimizer's class is handed: an object with ``data`` and ``grad``."""

    def seeded(self, given: int, default: int) -> Any:
        """A generator; and the framework's own numbers start anew."""

    def generators(self, given: Any) -> Iterator[Any]:
        """What is handed to each of many calls: the generator itself, where it goes on by itself."""

    def words(self, given: Any) -> dict[str, Array]:
        """The next words of the generator and of the framework's own, where they are torch's."""


def kit(framework: str, device: str = "cpu", stream: bool | None = None) -> Kit:
    """The arrays of a framework on a device; ``stream`` asks for torch's random numbers.

    Raises:
        TargetError: an unknown framework, one that is not installed, or a device that it cannot use.
    """
    if framework not in KITS:
        raise TargetError(f"unknown framework {framework!r}; known are {', '.join(KITS)}")
    try:
        made: Kit = import_module(f".{KITS[framework]}", __package__).make(device, stream)
    except ModuleNotFoundError as error:
        if error.name != framework:
            raise
        raise TargetError(f"{framework} is not installed") from None
    return made


@dataclass(frozen=True)
class Implementation:
    """What was handed in, and how it is to be asked."""

    code: Any
    framework: str = "torch"
    device: str = "cpu"
    modes: Mapping[str, Sequence[Any]] = field(default_factory=dict)  #: argument or axis -> what it may be
    state: Mapping[str, str] = field(default_factory=dict)  #: torch's names of state -> the optimizer's own
    backward: Any = None  #: a function; False for no gradients; None for those of the framework
    stream: bool | None = None  #: are an initializer's numbers to be torch's? None: where the framework can
    gradients: tuple[str, ...] | None = None  #: arguments of a loss whose gradients are asked for; None: all
    passed: Mapping[str, Any] = field(default_factory=dict)  #: what is passed where a case says nothing else

    @property
    def differentiates(self) -> bool:
        """Do its gradients come from its framework?"""
        return self.backward is None and self.framework in DIFFERENTIATING

    def asks_for(self, path: str) -> bool:
        """Is the gradient of an argument, or of an array in it, asked for?"""
        return ((self.differentiates or self.backward not in (None, False))
                and (self.gradients is None or path.partition("[")[0] in self.gradients))

    def check_gradients(self, spec: Spec) -> None:
        """Refuse gradients of nothing: ``ValueError`` names what there is."""
        arrays = spec.arrays if isinstance(spec, LossSpec) else ()
        if strange := [name for name in self.gradients or () if name not in arrays]:
            raise ValueError(f"gradients has {strange[0]!r}; the arrays of {spec.name} that may have one are "
                             f"{', '.join(arrays) or 'none'}")

    def check_modes(self, spec: Spec) -> None:
        """Refuse modes of nothing: ``ValueError`` names what there is."""
        known = {*spec.defaults, *spec.parameters}
        for name, allowed in self.modes.items():
            if name not in known:
                raise ValueError(f"modes has {name!r}, which is no argument and no axis of {spec.name}; "
                                 f"known are {', '.join(sorted(known))}")
            if isinstance(allowed, str) or not isinstance(allowed, Sequence):
                raise ValueError(f"modes[{name!r}] needs a list of values, got {allowed!r}")
            values = next((axis.values for axis in spec.axes if axis.name == name), ())
            labels = [str(v) for v in values]
            closed = name not in spec.parameters or all(isinstance(v, str | bool | None) for v in values)
            if labels and closed and (strange := {*map(str, allowed)} - {*labels}):
                raise ValueError(f"modes[{name!r}] has {sorted(strange)[0]!r}; {spec.name} has {', '.join(labels)}")

    def supports(self, case: Case) -> bool:
        """May it be asked for a case, as far as modes and its signature tell?"""
        try:
            split_arguments(self.code, case.spec, dict(_all_arguments(case)), skip=1)
        except Unsupported:
            return False
        return self.leaves_out(case) is None

    def leaves_out(self, case: Case) -> str | None:
        """Which mode excludes a case, if one does."""
        for name, allowed in self.modes.items():
            if name in case.options and str(case.options[name]) in map(str, allowed):
                continue
            values = list(_argument(case, name)) if name in case.spec.parameters else []
            if not values or not all(any(_same(value, one) for one in allowed) for value in values):
                return f"left out by modes: {name}={case.options.get(name, values[0] if values else '')}"
        return None


def _all_arguments(case: Case) -> Iterator[tuple[str, Any]]:
    """Keyword arguments of a case, of an optimizer those of all groups."""
    if isinstance(case.spec, OptimSpec):
        yield from case.inputs.defaults.items()
        for group in case.inputs.groups:
            yield from group.options.items()
    else:
        known = inspect.signature(case.spec.implementation).parameters
        yield from ((k, v) for k, v in case.inputs.items() if k in known and known[k].default is not known[k].empty)


def _argument(case: Case, name: str) -> Iterator[Any]:
    """All that an argument is in a case: of an optimizer in each group."""
    default = inspect.signature(case.spec.implementation).parameters[name].default
    if isinstance(case.spec, OptimSpec):
        for group in case.inputs.groups:
            yield group.options.get(name, case.inputs.defaults.get(name, default))
    else:
        yield case.inputs.get(name, default)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return False
    return bool(a == b or (b is not None and str(a) == str(b)))


class User:
    """A target that runs what was handed in."""

    def __init__(self, implementation: Implementation, name: str = "user") -> None:
        self.name, self.asked = name, implementation
        self.kit = kit(implementation.framework, implementation.device, implementation.stream)

    def covers(self, spec: Spec) -> bool:
        """All of them: that it is of the right op is for the caller to know."""
        return True

    def run(self, case: Case) -> Outputs:
        """Its outputs on a case."""
        if reason := self.asked.leaves_out(case):
            raise Unsupported(reason)
        try:
            return self._run(case.spec, case)
        except NotImplementedError as reason:
            raise Unsupported(f"NotImplementedError: {reason}") from None

    def script(self, case: Case) -> str:
        """That of a report, which knows what went wrong."""
        raise Unsupported("the report of oracle check has the script")

    @singledispatchmethod
    def _run(self, spec: Spec, case: Case) -> Outputs:
        raise Unsupported(f"no way to run a {type(spec).__name__}")

    # --- losses ----------------------------------------------------------------------------------

    @_run.register
    def _(self, spec: LossSpec, case: Case) -> Outputs:
        arguments = self._arrays(case.inputs)
        positional, keywords = split_arguments(self.asked.code, spec, case.inputs)

        def call(values: Mapping[str, Any]) -> Any:
            return self.asked.code(*(values[k] for k in positional), **{k: values[k] for k in keywords})

        upstream = case.grad_output if isinstance(case.grad_output, tuple) else (case.grad_output,)
        paths = [path for path in case.differentiated
                 if path.partition("[")[0] in {*positional, *keywords} and self.asked.asks_for(path)]
        gradients: dict[str, Any] = {}
        if self.asked.differentiates and paths:
            result, gradients = self.kit.gradients(call, arguments, paths, [self.kit.array(g) for g in upstream])
        else:
            result = call(arguments)
            if callable(self.asked.backward):
                gradients = self._handed_backward(case, arguments, positional, keywords)
        outputs = self._named(case, result)
        self._check_arguments(case.inputs, arguments, result)
        outputs |= {f"grad.{path}": self.kit.numpy(g) for path, g in gradients.items()}
        return outputs

    def _arrays(self, value: Any) -> Any:
        """Arrays of the framework in the places of NumPy's."""
        if isinstance(value, Mapping):
            return {k: self._arrays(v) for k, v in value.items()}
        if isinstance(value, tuple):
            return tuple(map(self._arrays, value))
        return self.kit.array(value) if isinstance(value, np.ndarray) else value

    def _handed_backward(self, case: Case, arguments: Mapping[str, Any], positional: Sequence[str],
                         keywords: Sequence[str]) -> dict[str, Any]:
        """``backward(grad_output, <the arguments of the loss>)`` gives a gradient for each array, or None."""
        assert isinstance(case.spec, LossSpec)
        given = self.asked.backward(self._arrays(case.grad_output), *(arguments[k] for k in positional),
                                    **{k: arguments[k] for k in keywords})
        given = given if isinstance(given, tuple | list) else (given,)
        wanted = {path.partition("[")[0] for path in case.differentiated if self.asked.asks_for(path)}
        return {path: g for name, value in zip(case.spec.arrays, given, strict=False)
                for path, g in leaves(name, value) if name in wanted}

    def _named(self, case: Case, result: Any) -> dict[str, Array]:
        """The results under the reference's names; a plain tuple has them in its order."""
        assert isinstance(case.spec, LossSpec)
        names = [name for name, _ in leaves("output", case.result)]
        found = [one for _, one in leaves("output", tuple(result) if isinstance(result, list) else result)]
        if len(found) != len(names):
            raise TypeError(f"gave {_kind(result)}, needed is {len(names)} array{'s' * (len(names) > 1)}")
        return {name: self.kit.numpy(one) for name, one in zip(names, found, strict=True)}

    def _check_arguments(self, before: Mapping[str, Any], after: Mapping[str, Any], result: Any) -> None:
        for name, value in before.items():
            for path, array in leaves(name, value):
                if not isinstance(array, np.ndarray):
                    continue
                mine = leaf(after, path)
                if self.kit.numpy(mine).tobytes() != array.tobytes():
                    raise Misbehaved(f"changed its argument {path}")
                if any(array.size and self.kit.shares_memory(one, mine) for _, one in leaves("output", result)):
                    raise Misbehaved(f"returned a view of its argument {path}")

    # --- optimizers ------------------------------------------------------------------------------

    @_run.register
    def _(self, spec: OptimSpec, case: Case) -> Outputs:
        if not takes_params(self.asked.code):
            return stack_steps(list(self._pair(spec, case)))
        try:
            return stack_steps(list(self._class(spec, case)))
        except Exception as error:
            if "sparsity" in spec.defaults and case.options["sparsity"] != spec.defaults["sparsity"]:
                raise Unsupported(f"a sparse gradient: {type(error).__name__}: {error}") from None
            raise

    def _class(self, spec: OptimSpec, case: Case) -> Iterator[dict[str, Array]]:
        trajectory = case.inputs
        held = [[self.kit.parameter(p) for p in group.params] for group in trajectory.groups]
        params = [p for group in held for p in group]
        options = [split_arguments(self.asked.code, spec, group.options, skip=1)[1] for group in trajectory.groups]
        groups = [{"params": ps, **{k: group.options[k] for k in names}}
                  for ps, group, names in zip(held, trajectory.groups, options, strict=True)]
        plain = len(groups) == 1 and not trajectory.groups[0].options
        _, keywords = split_arguments(self.asked.code, spec, trajectory.defaults, skip=1)
        optimizer = self.asked.code(params if plain else groups, **{k: trajectory.defaults[k] for k in keywords})
        objective = trajectory.objective and trajectory.objective.converted(self.kit.array)
        for now in trajectory.gradients:
            for p, g in zip(params, now, strict=True):
                p.grad = None if g is None else self.kit.array(g)
            optimizer.step(*closures(objective, params, [p.grad for p in params]))
            outputs = {f"param[{i}]": self.kit.numpy(p.data) for i, p in enumerate(params)}
            for i, (p, g) in enumerate(zip(params, now, strict=True)):
                state = _state_of(optimizer, p)
                if objective is None and isinstance(g, np.ndarray):
                    self._check_gradient(i, p, g, state)
                outputs |= {f"{key}[{i}]": value for key, value in self._state(state)}
            yield outputs

    def _check_gradient(self, i: int, p: Any, before: Array, state: Mapping[str, Any]) -> None:
        if p.grad is None:
            return
        if self.kit.numpy(p.grad).tobytes() != before.tobytes():
            raise Misbehaved(f"changed the gradient of parameter {i}")
        for name, value in entries(state):
            if before.size and self.kit.shares_memory(value, p.grad):
                raise Misbehaved(f"keeps a view of the gradient of parameter {i} as its state {name}")

    def _state(self, state: Mapping[str, Any]) -> Iterator[tuple[str, Array]]:
        """What of its state can be read as an array, under torch's names."""
        named = {**state, **{torchs: state[own] for torchs, own in self.asked.state.items() if own in state}}
        for name, value in entries(named):
            try:
                yield name, self.kit.numpy(value)
            except TypeError:  # whatever else an optimizer keeps is its own affair
                continue

    def _pair(self, spec: OptimSpec, case: Case) -> Iterator[dict[str, Array]]:
        trajectory = case.inputs
        if trajectory.objective is not None:
            raise Unsupported("a pair of functions gets gradients, and no closure")
        pairs = [self._made(spec, {**trajectory.defaults, **group.options}) for group in trajectory.groups]
        params = [[self.kit.array(p) for p in group.params] for group in trajectory.groups]
        states = [init(ps) for (init, _), ps in zip(pairs, params, strict=True)]
        for now in trajectory.gradients:
            gradients = iter(now)
            outputs: dict[str, Array] = {}
            for k, (_, update) in enumerate(pairs):
                grads = [_dense(next(gradients)) for _ in params[k]]
                mine = [self.kit.array(g) for g in grads]
                updates, states[k] = update(mine, states[k], params[k])
                if any(self.kit.numpy(m).tobytes() != g.tobytes() for m, g in zip(mine, grads, strict=True)):
                    raise Misbehaved("changed a gradient")
                params[k] = [self._added(p, u) for p, u in zip(params[k], updates, strict=True)]
            flat = [p for group in params for p in group]
            outputs |= {f"param[{i}]": self.kit.numpy(p) for i, p in enumerate(flat)}
            outputs |= self._pair_states(states, [len(group) for group in params])
            yield outputs

    def _made(self, spec: OptimSpec, options: Mapping[str, Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
        code = self.asked.code
        if (ready := _two(code)) is not None:
            if given := [k for k, v in options.items() if not _is_default(spec, k, v)]:
                raise Unsupported(f"a pair that is made already: {given[0]} cannot be chosen")
            return ready
        _, keywords = split_arguments(code, spec, options)
        made = _two(code(**{k: options[k] for k in keywords}))
        if made is None:
            raise TypeError("needed is an object or a tuple that has init and update")
        return made

    def _added(self, p: Any, update: Any) -> Any:
        """The parameter with its update added, in the parameter's dtype."""
        moved = p + update
        return moved if moved.dtype == p.dtype else moved.astype(p.dtype)

    def _pair_states(self, states: Sequence[Any], sizes: Sequence[int]) -> dict[str, Array]:
        """Lists with an entry for each parameter, wherever in a state they stand under a name that is known."""
        torchs = {own: name for name, own in self.asked.state.items()}
        outputs: dict[str, Array] = {}
        first = 0
        for state, size in zip(states, sizes, strict=True):
            for name, value in _fields(state):
                if isinstance(value, list | tuple) and len(value) == size:
                    for i, (key, array) in enumerate((torchs.get(name, name), one) for one in value):
                        outputs |= {f"{k}[{first + i}]": a for k, a in self._state({key: array})}
            first += size
        return outputs

    # --- initializers ----------------------------------------------------------------------------

    @_run.register
    def _(self, spec: InitSpec, case: Case) -> Outputs:
        arguments = dict(case.inputs)
        seeds = take_seeds(arguments)
        empty = empty_tensor(arguments, case.dtype)
        stream = self.kit.shares_stream if self.asked.stream is None else self.asked.stream
        if stream and not self.kit.shares_stream and spec.name in CLAIMS:
            raise Unsupported("its framework does not draw torch's numbers; stream=False judges their distribution")
        _, keywords = split_arguments(self.asked.code, spec, arguments, skip=1)
        chosen = {k: arguments[k] for k in keywords}
        given = self.kit.seeded(seeds.given, seeds.default)
        generators = self.kit.generators(given)
        if (init := shaped(self.asked.code, spec, chosen)) is not None:
            fill = partial(self._made_of_shape, init, empty, generators)
        else:
            wanted = bool(seeds.argument(spec, given)) or ("generator" in spec.parameters and not self.kit.has_default)
            takes = accepts(self.asked.code, "generator")
            if wanted and not takes and stream and spec.name in CLAIMS:
                raise Unsupported("has no keyword 'generator'")
            fill = partial(self._filled, empty, chosen, generators if wanted and takes else None)
        if spec.name in CLAIMS and not stream:
            calls = min(CALLS, math.ceil(DRAWS / max(empty.size, 1)))
            return {"draws": np.stack([fill() for _ in range(calls)])}
        outputs = {"tensor": fill(), "again": fill()}
        return outputs | (self.kit.words(given) if spec.name in CLAIMS else {})

    def _made_of_shape(self, init: Callable[[Any, Any, Any], Any], empty: Array, generators: Iterator[Any]) -> Array:
        return self.kit.numpy(init(next(generators), empty.shape, self.kit.array(empty).dtype))

    def _filled(self, empty: Array, chosen: Mapping[str, Any], generators: Iterator[Any] | None) -> Array:
        array = self.kit.array(empty)
        result = self.asked.code(array, **chosen, **({"generator": next(generators)} if generators else {}))
        filled = self.kit.numpy(result)
        if self.asked.framework != "jax" and result is not array:
            raise Misbehaved(f"gave {_kind(result)} of its own; needed is its argument, filled in place")
        return filled


def split_arguments(code: Callable[..., Any], spec: Spec, given: Mapping[str, Any],
                    skip: int = 0) -> tuple[list[str], list[str]]:
    """Which of the arguments are passed by position, and which by keyword; what is at torch's default by neither.

    Args:
        skip: how many leading ones the caller passes by itself.

    Raises:
        Unsupported: there is no such keyword, and the argument is not at its default.
    """
    parameters = list(inspect.signature(spec.implementation).parameters.values())
    positional = [] if skip else [p.name for p in parameters if p.default is p.empty and p.name in given]
    keywords = []
    for name, value in given.items():
        if name in positional or (_is_default(spec, name, value) and not requires(code, name)):
            continue
        if not accepts(code, name):
            raise Unsupported(f"has no keyword {name!r}")
        keywords.append(name)
    return positional, keywords


def _is_default(spec: Spec, name: str, value: Any) -> bool:
    default = inspect.signature(spec.implementation).parameters[name].default
    return value is default or (not isinstance(value, np.ndarray) and default is not inspect.Parameter.empty
                                and bool(value == default))


def differing_defaults(code: Any, spec: Spec) -> dict[str, tuple[Any, Any]]:
    """Arguments whose default is not torch's, each with its own default and torch's, as the signature tells."""
    known = inspect.signature(spec.implementation).parameters
    return {name: (p.default, known[name].default) for name, p in (_signature(code) or {}).items()
            if name in known and inspect.Parameter.empty not in (p.default, known[name].default)
            and not isinstance(p.default, np.ndarray) and not _is_default(spec, name, p.default)}


def leaves_to_default(case: Case, name: str) -> bool:
    """Is an argument at torch's default in a case, anywhere, so that it is not passed?"""
    return any(_is_default(case.spec, name, value) for value in _argument(case, name))


def _signature(code: Callable[..., Any]) -> Mapping[str, inspect.Parameter] | None:
    try:
        return inspect.signature(code).parameters
    except (TypeError, ValueError):  # built in: nothing is known
        return None


def accepts(code: Callable[..., Any], name: str) -> bool:
    """Has a callable a keyword of this name, as far as it can be told?"""
    known = _signature(code)
    return known is None or name in known or any(p.kind is p.VAR_KEYWORD for p in known.values())


def requires(code: Callable[..., Any], name: str) -> bool:
    """Has it a parameter of this name, and no default for it?"""
    known = _signature(code)
    return known is not None and name in known and known[name].default is inspect.Parameter.empty


def takes_params(code: Any) -> bool:
    """Is it made and stepped as a class of ``torch.optim``, rather than a pair of functions?"""
    if _two(code) is not None:
        return False
    return hasattr(getattr(code, "func", code), "step") or next(iter(_signature(code) or {}), "") == "params"


def _two(code: Any) -> tuple[Callable[..., Any], Callable[..., Any]] | None:
    """``init`` and ``update`` of an object or of a tuple."""
    if isinstance(code, type):
        return None
    if callable(getattr(code, "init", None)) and callable(getattr(code, "update", None)):
        return code.init, code.update
    if isinstance(code, tuple) and len(code) == 2 and all(map(callable, code)):
        return code
    return None


def _state_of(optimizer: Any, p: Any) -> Mapping[str, Any]:
    state = getattr(optimizer, "state", None)
    try:
        found = state.get(p, {}) if isinstance(state, Mapping) else {}
    except TypeError:  # a mapping of something else
        found = {}
    return found if isinstance(found, Mapping) else {}


def _fields(state: Any) -> Iterator[tuple[str, Any]]:
    """Names and values of what a state holds, in named tuples, mappings and tuples of them."""
    if isinstance(state, Mapping):
        named = dict(state)
    else:
        named = {k: getattr(state, k) for k in getattr(state, "_fields", getattr(state, "__dataclass_fields__", ()))}
    yield from ((str(k), v) for k, v in named.items())
    for inner in named.values() if named else state if isinstance(state, tuple | list) else ():
        yield from _fields(inner)


def _dense(gradient: Any) -> Array:
    if not isinstance(gradient, np.ndarray):
        raise Unsupported("a pair of functions takes one dense gradient for each parameter")
    return gradient


def _kind(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
