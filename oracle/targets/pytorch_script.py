"""Scripts that give torch's answer on a case, with torch and NumPy alone."""

from __future__ import annotations

from functools import singledispatch

import numpy as np

from ..cases.case import Case
from ..cases.spec import InitSpec, LossSpec, Objective, OptimSpec, Spec
from .loading import Unsupported
from .script import _literal, _mapping, head

__all__ = ["torch_script"]


def _closure(objective: Objective | None, device: str) -> str:
    if objective is None:
        return ""
    blocks = ", ".join(f"{_literal(block)}.to({device!r})" for block in objective.blocks)
    target = "None" if objective.target is None else f"{_literal(objective.target)}.to({device!r})"
    if objective.answers:
        answers = "".join(f"    ({_literal(value)}.to({device!r}), [{', '.join(map(_literal, slopes))}]),\n"
                          for value, slopes in objective.answers)
        return (f"answers, evaluations = [\n{answers}], {{}}\n\n\n"
                "def closure():\n"
                "    k = evaluations[id(step)] = evaluations.get(id(step), -1) + 1\n"
                "    value, slopes = answers[k % len(answers)]\n"
                "    for p, slope in zip(params, slopes):\n"
                f"        p.grad = slope.to({device!r}, copy=True)\n"
                "    return value\n\n\n")
    return (f"blocks, target, quartic = [{blocks}], {target}, {objective.quartic!r}\n\n\n"
            "def closure():\n"
            "    thetas = [p.detach() for p in params]\n"
            f"    given = [None if g is None else g.to({device!r}) for g in step]\n"
            "    value = sum((g * x).sum() for g, x in zip(given, thetas) if g is not None)\n"
            "    if blocks:\n"
            "        residual = -target\n"
            "        for block, x in zip(blocks, thetas):\n"
            "            residual = residual + block @ x.reshape(-1)\n"
            "        value = value + (residual * residual).sum() / 2\n"
            "    for i, (p, x) in enumerate(zip(params, thetas)):\n"
            "        p.grad = given[i]\n"
            "        if blocks:\n"
            "            value = value + quartic * (x * x * x * x).sum() / 4\n"
            "            p.grad = given[i] + (blocks[i].T @ residual).reshape(x.shape) + quartic * (x * x * x)\n"
            "    return value\n\n\n")


@singledispatch
def _body(spec: Spec, case: Case, variant: str, device: str) -> str:
    raise Unsupported(f"no script for a {type(spec).__name__}")


@_body.register
def _(spec: LossSpec, case: Case, variant: str, device: str) -> str:
    from .pytorch_calls import has_function, split_module_arguments

    if spec.held is not None and (variant == "module" or not has_function(spec)):
        return _parametrized(spec, case, device)
    module, named = split_module_arguments(spec, case.inputs) if variant == "module" else ({}, {})
    settings = f"module = torch.nn.{spec.module}(**{{k: arguments.pop(k) for k in {list(module)!r}}})\n"
    rename = f"arguments = dict(zip({list(named)!r}, arguments.values()))\n"
    call = {"module": "module", "compile": f"torch.compile({spec.torch_names[0]})"}.get(variant, spec.torch_names[0])
    return (f"arguments = {{\n{_mapping(case.inputs)}}}\n"
            f"arguments = {{k: v for k, v in arguments.items() if v is not None}}\n"
            f"arguments = {{k: v.to({device!r}) if isinstance(v, torch.Tensor) else v for k, v in arguments.items()}}\n"
            f"leaves = {{k: arguments[k].requires_grad_() for k in {case.differentiated!r}}}\n"
            f"{settings + rename if variant == 'module' else ''}"
            f"output = {call}(**arguments)\n"
            f"output.backward({_literal(case.grad_output)}.to({device!r}))\n"
            'got = {"output": output.detach()} | {f"grad.{k}": v.grad for k, v in leaves.items()}\n')


def _parametrized(spec: LossSpec, case: Case, device: str) -> str:
    from .pytorch_calls import split_parameters

    constructor, held, call = split_parameters(spec, case.inputs)
    places = {path: "[".join([f"[{name!r}]", *rest]) for path in case.differentiated
              for name, *rest in [path.split("[")]}
    settings = {k: v for k, v in constructor.items() if not isinstance(v, np.ndarray)}
    arrays = "".join(f"{k}=arguments[{k!r}], " for k in constructor if k not in settings)
    upstream = case.grad_output if isinstance(case.grad_output, tuple) else (case.grad_output,)
    return (f"arguments = {{\n{_mapping(case.inputs)}}}\n"
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
            f"torch.autograd.backward(list(got.values()), {_literal(upstream)})\n"
            'got = {k: v.detach() for k, v in got.items()} | {\n'
            '    f"grad.{p}": leaf.grad.reshape(shapes[p]) for p, leaf in leaves.items() if leaf.grad is not None}\n')


@_body.register
def _(spec: OptimSpec, case: Case, variant: str, device: str) -> str:
    from .pytorch_calls import implementation

    trajectory = case.inputs
    choice = implementation(spec, variant)
    groups = "".join(f'    {{"params": [{", ".join(_literal(p) for p in g.params)}],\n     **{dict(g.options)!r}}},\n'
                     for g in trajectory.groups)
    gradients = "".join(f"    [{', '.join(_literal(g) for g in step)}],\n" for step in trajectory.gradients)
    return (f"groups = [\n{groups}]\ngradients = [\n{gradients}]\n"
            f"for group in groups:\n"
            f'    group["params"] = [torch.nn.Parameter(p.to({device!r})) for p in group["params"]]\n'
            'params = [p for group in groups for p in group["params"]]\n'
            f"optimizer = {spec.torch_names[0]}(groups, **{dict(trajectory.defaults)!r}, **{choice!r})\n"
            f"{_closure(trajectory.objective, device)}"
            "history = {}\nfor step in gradients:\n    for p, g in zip(params, step):\n"
            f"        p.grad = None if g is None else g.to({device!r})\n"
            f"    optimizer.step({'closure' if trajectory.objective else ''})\n"
            "    for i, p in enumerate(params):\n"
            '        history.setdefault(f"param[{i}]", []).append(p.detach().clone())\n'
            "        for key, value in optimizer.state.get(p, {}).items():\n"
            "            for j, part in enumerate(value if isinstance(value, list) else [value]):\n"
            "                if isinstance(part, torch.Tensor | int):\n"
            '                    name = key if part is value else f"{key}.{j}"\n'
            '                    history.setdefault(f"{name}[{i}]", []).append(\n'
            "                        part if isinstance(part, int) else part.clone().to_dense())\n"
            "got = {name: torch.stack([v for v in values if not isinstance(v, int)]\n"
            "                         or [torch.tensor(v) for v in values])\n"
            "       for name, values in history.items()}\n")


@_body.register
def _(spec: InitSpec, case: Case, variant: str, device: str) -> str:
    from ..truth.evaluate import empty_tensor, take_seeds

    arguments = dict(case.inputs)
    seeds = take_seeds(arguments)
    empty = empty_tensor(arguments, case.dtype)
    given = ", generator=given" if seeds.argument(spec, None) else ""
    return (f"given, default = torch.Generator().manual_seed({seeds.given}), torch.manual_seed({seeds.default})\n"
            f"arguments = {{\n{_mapping(arguments)}}}\n"
            f"first, second = ({spec.torch_names[0]}({_literal(empty)}, **arguments{given}) for _ in range(2))\n"
            "words = [torch.empty(1, dtype=torch.int32).random_(generator=g) for g in (given, default)]\n"
            'got = {"tensor": first, "again": second, "next_word": words[0], "default_word": words[1]}\n')


def torch_script(case: Case, variant: str, device: str) -> str:
    """Source that computes ``got``, a dict of torch's outputs on the case."""
    return head(f"{case.id} on torch:{variant}", "torch") + _body(case.spec, case, variant, device)
