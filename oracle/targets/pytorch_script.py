"""Scripts that give torch's answer on a case, with torch and NumPy alone."""

from __future__ import annotations

from functools import singledispatch

import numpy as np

from ..cases.case import Case
from ..cases.spec import InitSpec, LossSpec, OptimSpec, Spec
from ..truth.evaluate import empty_tensor, take_seeds
from .loading import Unsupported
from .pytorch_calls import has_function, implementation, split_module_arguments, split_parameters
from .script import closure_source, dict_lines, head
from .script_surroundings import (
    first_lines,
    groups_source,
    last_lines,
    loss_source,
    placed_literal,
    steps_source,
    trajectory_source,
)

__all__ = ["torch_script"]


@singledispatch
def _body(spec: Spec, case: Case, variant: str, device: str) -> str:
    """The lines between the script's head and its comparison."""
    raise Unsupported(f"no script for a {type(spec).__name__}")


@_body.register
def _(spec: LossSpec, case: Case, variant: str, device: str) -> str:
    if spec.held is not None and (variant == "module" or not has_function(spec)):
        return _parametrized(spec, case, device)
    prepare, call = "", spec.torch_names[0]
    if variant == "compile":
        call = f"torch.compile({call})"
    elif variant == "module":
        settings, named = split_module_arguments(spec, case.inputs)
        prepare = (f"module = torch.nn.{spec.module}(**{{k: arguments.pop(k) for k in {list(settings)!r}}})\n"
                   f"arguments = dict(zip({list(named)!r}, arguments.values()))\n")
        call = "module"
    return (f"{loss_source(case, case.inputs)}"
            f"arguments = {{k: v for k, v in arguments.items() if v is not None}}\n"
            f"arguments = {{k: v.to({device!r}) if isinstance(v, torch.Tensor) else v for k, v in arguments.items()}}\n"
            f"leaves = {{k: arguments[k].requires_grad_() for k in {case.differentiated!r}}}\n"
            f"{prepare}"
            f"output = {call}(**arguments)\n"
            f"output.backward(upstream[0].to({device!r}))\n"
            'got = {"output": output.detach()} | {f"grad.{k}": v.grad for k, v in leaves.items()}\n')


def _parametrized(spec: LossSpec, case: Case, device: str) -> str:
    """The body for a module that holds some arguments as parameters."""
    constructor, held, call = split_parameters(spec, case.inputs)
    places = {path: "[".join([f"[{name!r}]", *rest]) for path in case.differentiated
              for name, *rest in [path.split("[")]}
    settings = {k: v for k, v in constructor.items() if not isinstance(v, np.ndarray)}
    arrays = "".join(f"{k}=arguments[{k!r}], " for k in constructor if k not in settings)
    return (f"{loss_source(case, case.inputs)}"
            f"module = torch.nn.{spec.module}({arrays}**{settings!r}, dtype=torch.{case.dtype}).to({device!r})\n"
            "leaves = {\n" + "".join(f"    {path!r}: arguments{place}.requires_grad_(),\n"
                                     for path, place in places.items()) + "}\n"
            "shapes = {path: leaf.shape for path, leaf in leaves.items()}\n"
            f"for path, name in {dict(held)!r}.items():\n"
            "    parameter = module.get_parameter(name)\n"
            "    if path in leaves:\n"
            "        parameter.data, leaves[path] = leaves[path].detach().reshape(parameter.shape), parameter\n"
            f"result = module(**{{k: arguments[v] for k, v in {dict(call)!r}.items()}})\n"
            'got = result._asdict() if isinstance(result, tuple) else {"output": result}\n'
            "torch.autograd.backward(list(got.values()), upstream)\n"
            'got = {k: v.detach() for k, v in got.items()} | {\n'
            '    f"grad.{p}": leaf.grad.reshape(shapes[p]) for p, leaf in leaves.items() if leaf.grad is not None}\n')


@_body.register
def _(spec: OptimSpec, case: Case, variant: str, device: str) -> str:
    trajectory = case.inputs
    choice = implementation(spec, variant)
    joined = f"groups[:{len(trajectory.groups) - 1}]" if trajectory.joins else "groups"
    notes = ("    for i, p in enumerate(params):\n"
            '        history.setdefault(f"param[{i}]", []).append(p.detach().clone())\n'
            "        for key, value in optimizer.state.get(p, {}).items():\n"
            "            for j, part in enumerate(value if isinstance(value, list) else [value]):\n"
            "                if isinstance(part, torch.Tensor | int):\n"
            '                    name = key if part is value else f"{key}.{j}"\n'
            '                    history.setdefault(f"{name}[{i}]", []).append(\n'
            "                        part if isinstance(part, int) else part.clone().to_dense())\n")
    return (f"{trajectory_source(case)}{groups_source(case, 'torch.nn.Parameter')}\n\n"
            "def make():\n"
            f"    return {spec.torch_names[0]}({joined}, **{dict(trajectory.defaults)!r}, **{choice!r})\n\n\n"
            "optimizer = make()\n"
            f"{closure_source(trajectory.objective, device)}"
            f"{steps_source(case, 'torch', f'None if g is None else g.to({device!r})', notes)}"
            "got = {name: torch.stack([v for v in values if not isinstance(v, int)]\n"
            "                         or [torch.tensor(v) for v in values])\n"
            "       for name, values in history.items()}\n")


@_body.register
def _(spec: InitSpec, case: Case, variant: str, device: str) -> str:
    arguments = dict(case.inputs)
    seeds = take_seeds(arguments)
    empty = empty_tensor(arguments, case.dtype)
    given = ", generator=given" if seeds.argument(spec, None) else ""
    tensor = placed_literal(case, empty)
    return (f"given, default = torch.Generator().manual_seed({seeds.given}), torch.manual_seed({seeds.default})\n"
            f"arguments = {{\n{dict_lines(arguments)}}}\n"
            f"first, second = ({spec.torch_names[0]}({tensor}, **arguments{given}) for _ in range(2))\n"
            "words = [torch.empty(1, dtype=torch.int32).random_(generator=g) for g in (given, default)]\n"
            'got = {"tensor": first, "again": second, "next_word": words[0], "default_word": words[1]}\n')


def torch_script(case: Case, variant: str, device: str) -> str:
    """Source that computes ``got``, a dict of torch's outputs on the case."""
    return (head(f"{case.id} on torch:{variant}", "torch") + first_lines(case, "torch")
            + _body(case.spec, case, variant, device) + last_lines(case))
