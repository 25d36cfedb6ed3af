"""Scripts that show what an implementation that was handed in gives on a case, without this project."""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch
from typing import Any

from reference.optim import SparseGrad

from ..cases.case import Case
from ..cases.spec import InitSpec, LossSpec, OptimSpec, Spec
from ..targets.loading import Unsupported
from ..targets.script import closure_source, head, literal
from ..targets.script_surroundings import (
    first_lines,
    groups_source,
    last_lines,
    loss_source,
    placed_literal,
    steps_source,
    trajectory_source,
)
from ..truth.claims import CLAIMS
from ..truth.evaluate import empty_tensor, take_seeds
from ..verdict.plain import plain
from ..verdict.record import Record
from .implementation import Implementation
from .places import Named
from .shaped import form_of, takes_dtype
from .signature import Signature, split_arguments

__all__ = ["user_script"]

#: What an optimizer in NumPy is handed.
_PARAMETER_CLASS = '''
class Parameter:
    def __init__(self, data):
        self.data, self.grad = data, None


'''


def user_script(case: Case, asked: Implementation, record: Record, signature: Signature) -> str:
    """Source that computes ``got`` and prints what the record says of it.

    Args:
        signature: of the implementation's code, which need not be loaded.

    Raises:
        Unsupported: a case that NumPy and the framework alone cannot make.
    """
    title = f"{case.id}: what {record.target} gives, called as {case.spec.torch_names[0]}"
    device = asked.device if asked.framework == "torch" else ""
    return (head(title, asked.framework, device) + _write_import("implementation", asked.code)
            + first_lines(case, asked.framework) + _write_body(case.spec, case, asked, signature)
            + last_lines(case) + _write_print(record))


def _write_import(name: str, code: Any) -> str:
    """Lines that bind a name to what was handed in, or say what to put there."""
    place = code.place if isinstance(code, Named) else _place_of(code)
    if place is None:
        return f"{name} = ...  # put {plain(getattr(code, '__qualname__', type(code).__qualname__))} here\n\n"
    source, _, attribute = place.rpartition(":")
    if source.endswith(".py"):
        return f"import runpy\n\n{name} = runpy.run_path({source!r})[{attribute!r}]\n\n"
    outer, _, inner = attribute.partition(".")
    return f"from {source} import {outer}\n\n{name} = {outer}{'.' + inner if inner else ''}\n\n"


def _place_of(code: Any) -> str | None:
    """Where an object can be imported from; None of what has no name of its own in a module."""
    module, name = getattr(code, "__module__", None), getattr(code, "__qualname__", "<")
    found = module not in (None, "__main__") and all(part.isidentifier() for part in name.split("."))
    return f"{module}:{name}" if found else None


def _write_print(record: Record) -> str:
    """Lines that print ``got``: of the element that decided, what was given and what is exact."""
    if record.index is None or record.truth is None:
        return f"\nprint(got)  # {record.verdict}: {record.note}\n" if record.note else "\nprint(got)\n"
    return (f"\n# exact value (rounded to double), and the largest error that a sound evaluation may have\n"
            f"value, truth = float(got[{record.output!r}][{record.index!r}]), float.fromhex({record.truth!r})\n"
            f"bound = float.fromhex({record.bound!r})\n"
            f'print(f"{record.output}{list(record.index)}: got {{value!r}}, exact {{truth!r}}, '
            'error {abs(value - truth):.3g}, bound {bound:.3g}")\n')


def _write_call(positional: list[str], keywords: list[str]) -> str:
    """What stands between the parentheses of a call."""
    return ", ".join([f"arguments[{k!r}]" for k in positional] + [f"{k}=arguments[{k!r}]" for k in keywords])


@singledispatch
def _write_body(spec: Spec, case: Case, asked: Implementation, signature: Signature) -> str:
    """Lines that compute ``got``."""
    raise Unsupported(f"no script for a {type(spec).__name__}")


@_write_body.register
def _(spec: LossSpec, case: Case, asked: Implementation, signature: Signature) -> str:
    if any(callable(value) for value in case.inputs.values()):
        raise Unsupported("the script cannot hold a function that the case has as an argument")
    positional, keywords = split_arguments(signature, spec, case.inputs)
    call = f"implementation({_write_call(positional, keywords)})"
    used = [name for name in case.inputs if name in {*positional, *keywords}]
    paths = [path for path in case.differentiated if path in used and asked.asks_for(path)]
    text = loss_source(case, used)
    results = ('got = dict(result._asdict()) if hasattr(result, "_asdict") else '
               '{"output": result} if not isinstance(result, tuple) else '
               '{f"output[{i}]": one for i, one in enumerate(result)}\n')
    if callable(asked.backward) or isinstance(asked.backward, Named):
        return (text + _write_import("backward", asked.backward) + f"result = {call}\n{results}"
                f"gradients = backward(upstream[0], {_write_call(positional, keywords)})\n"
                f"got |= {{f'grad.{{k}}': g for k, g in zip({spec.arrays!r}, gradients)}}\n")
    if asked.backward is None and asked.framework == "torch":
        return (text + f"for name in {paths!r}:\n    arguments[name].requires_grad_()\n"
                f"result = {call}\n{results}"
                "graphs = [(one, g) for one, g in zip(got.values(), upstream) if one.requires_grad]\n"
                "torch.autograd.backward([one for one, _ in graphs], [g for _, g in graphs])\n"
                "got = {k: v.detach() for k, v in got.items()}\n"
                f"got |= {{f'grad.{{k}}': arguments[k].grad for k in {paths!r}}}\n")
    if asked.backward is None and asked.framework == "jax":
        return (text + f"\ndef function(values):\n    arguments.update(values)\n    return {call}\n\n\n"
                f"result, pull = jax.vjp(function, {{k: arguments[k] for k in {paths!r}}})\n{results}"
                "gradients, = pull(upstream[0] if len(upstream) == 1 else upstream)\n"
                "got |= {f'grad.{k}': g for k, g in gradients.items()}\n")
    return text + f"result = {call}\n{results}"


@_write_body.register
def _(spec: OptimSpec, case: Case, asked: Implementation, signature: Signature) -> str:
    trajectory = case.inputs
    flat = [g for step in trajectory.gradients for g in step]
    if asked.framework != "torch" and any(isinstance(g, SparseGrad) for g in flat):
        raise Unsupported("the script has no sparse gradients")
    _, keywords = split_arguments(signature, spec, trajectory.defaults, skip=1)
    options = {k: trajectory.defaults[k] for k in keywords}
    text = trajectory_source(case)
    if not signature.takes_params:
        return text + _write_pair(options, [dict(group.options) for group in trajectory.groups])
    wrapper = "torch.nn.Parameter" if asked.framework == "torch" else "Parameter"
    joined = f"groups[:{len(trajectory.groups) - 1}]" if trajectory.joins else "groups"
    groups = "params" if len(trajectory.groups) == 1 else joined
    notes = ("    for i, p in enumerate(params):\n"
            '        state = getattr(optimizer, "state", {}).get(p, {})\n'
            f"        names = {dict(asked.state)!r}\n"
            "        seen = {'param': p.data, **state, **{k: state[own] for k, own in names.items() if own in state}}\n"
            "        for key, value in seen.items():\n"
            '            history.setdefault(f"{key}[{i}]", []).append(\n'
            '                np.array(value.detach().float() if hasattr(value, "detach") else value, float))\n')
    return ((_PARAMETER_CLASS if wrapper == "Parameter" else "") + text
            + groups_source(case, wrapper, lambda own: _accepted(signature, own))
            + f"\n\ndef make():\n    return implementation({groups}, **{options!r})\n\n\noptimizer = make()\n"
            f"{closure_source(trajectory.objective, asked.device)}"
            f"{steps_source(case, asked.framework, 'g', notes, lambda own: _accepted(signature, own))}"
            "got = {name: np.stack(values) for name, values in history.items()}\n")


def _accepted(signature: Signature, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a group that there are keywords for."""
    return {k: v for k, v in options.items() if signature.accepts(k)}


def _write_pair(options: Mapping[str, Any], groups: list[dict[str, Any]]) -> str:
    """Lines that step a pair of functions for each group."""
    return (f"made = [implementation if hasattr(implementation, 'init') or isinstance(implementation, tuple)\n"
            f"        else implementation(**{{**{dict(options)!r}, **group}}) for group in {groups!r}]\n"
            "pairs = [pair if isinstance(pair, tuple) else (pair.init, pair.update) for pair in made]\n"
            "states = [init(ps) for (init, _), ps in zip(pairs, params)]\n"
            "history = {}\nfor step in gradients:\n    step = iter(step)\n"
            "    for k, (_, update) in enumerate(pairs):\n"
            "        updates, states[k] = update([next(step) for _ in params[k]], states[k], params[k])\n"
            "        params[k] = [(p + u).astype(p.dtype) for p, u in zip(params[k], updates)]\n"
            "    for i, p in enumerate(p for group in params for p in group):\n"
            '        history.setdefault(f"param[{i}]", []).append(np.array(p, float))\n'
            "got = {name: np.stack(values) for name, values in history.items()}\n")


#: What is handed to each call, as :meth:`oracle.checking.kit.Kit.generators` gives it.
_KEYS = {
    "numpy": "keys = itertools.repeat(np.random.default_rng({} % 2**64))",
    "torch": "keys = itertools.repeat(torch.Generator().manual_seed({}))",
    "jax": "import jax\n\nkey = jax.random.key(({} + 2**63) % 2**64 - 2**63)\n"
           "keys = (jax.random.fold_in(key, i) for i in itertools.count())",
}


@_write_body.register
def _(spec: InitSpec, case: Case, asked: Implementation, signature: Signature) -> str:
    arguments = dict(case.inputs)
    seeds = take_seeds(arguments)
    empty = empty_tensor(arguments, case.dtype)
    _, keywords = split_arguments(signature, spec, arguments, skip=1)
    passed = "".join(f", {k}={literal(arguments[k])}" for k in keywords)
    tensor = placed_literal(case, empty)
    if spec.name in CLAIMS and asked.stream is not False and asked.framework == "torch":
        given = ", generator=given" if seeds.argument(spec, None) else ""
        return (f"given, default = torch.Generator().manual_seed({seeds.given}), torch.manual_seed({seeds.default})\n"
                f"first, second = (implementation({tensor}{passed}{given}) for _ in range(2))\n"
                'got = {"tensor": first, "again": second}\n')
    form = form_of(signature, spec)
    dtype = f", dtype=tensor([], (0,), {case.dtype!r}).dtype"
    if form == "fills":
        generator = ", generator=next(keys)" if signature.accepts("generator") else ""
        call = f"implementation({tensor}{passed}{generator})"
    elif form == "shape":
        call = f"implementation(next(keys), {empty.shape!r}{dtype if takes_dtype(signature) else ''}{passed})"
    else:
        call = f"implementation({passed[2:]})(next(keys), {empty.shape!r}{dtype})"
    return (f"import itertools\n\n{_KEYS[asked.framework].format(seeds.given)}\n"
            f"draws = [{call} for _ in range(100)]\n"
            "x = np.stack([np.array(d.float() if hasattr(d, 'float') else d, float) for d in draws])\n"
            'print(f"mean {x.mean()}, standard deviation {x.std()}, from {x.min()} to {x.max()}")\n'
            'got = {"tensor": draws[0], "again": draws[-1]}\n')
