"""Source that rebuilds the surroundings of a case: many elements of few, memory around arrays, what happens to steps.

Nothing long is written out: of a large array its few distinct elements are, and their places in packed form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ..cases.case import Case
from ..cases.surroundings.memory import Memory
from .loading import Unsupported
from .script import literal

__all__ = ["first_lines", "groups_source", "last_lines", "loss_source", "placed_literal", "steps_source",
           "trajectory_source"]

Array = np.ndarray[Any, Any]

_MANY = 16  #: arrays of which each is written by itself

_PLACED = {
    "torch": '''\
kept = []


def placed(array, strides, first, size):
    """The array in a larger one of so many elements, with strides in elements; what lies beside it is looked at."""
    buffer = torch.full((size,), -7.75 if array.is_floating_point() else 0, dtype=array.dtype)
    view, beside = (one.as_strided(array.shape, strides, first) for one in (buffer, torch.ones(size, dtype=bool)))
    lines = 1 if 0 in strides[:1] else None  # of an array that is broadcast one line is there
    view[:lines].copy_(array[:lines]) if array.ndim else view.copy_(array)
    beside[:lines].fill_(False) if array.ndim else beside.fill_(False)
    kept.append((buffer, buffer.clone(), beside._base))
    return view


def overwritten():
    """How many elements beside the arrays are others than before."""
    return torch.tensor(sum(int((now[at] != before[at]).sum()) for now, before, at in kept))


''',
    "numpy": '''\
kept = []


def placed(array, strides, first, size):
    """The array in a larger one of so many elements, with strides in elements; what lies beside it is looked at."""
    buffer = np.full(size, -7.75 if array.dtype.kind in "fV" else 0).astype(array.dtype)
    beside = np.ones(size, bool)
    view, holes = (np.lib.stride_tricks.as_strided(one[first:], array.shape, [n * one.itemsize for n in strides])
                   for one in (buffer, beside))
    view[...], holes[...] = array, False
    kept.append((buffer, buffer.copy(), beside))
    return view


def overwritten():
    """How many elements beside the arrays are others than before."""
    return np.array(sum(int((now[at] != before[at]).sum()) for now, before, at in kept))


''',
}


def first_lines(case: Case, framework: str) -> str:
    """What a script begins with behind its head: threads, and the functions that rebuild memory."""
    has_threads = case.around.threads and framework == "torch"
    threads = f"torch.set_num_threads({case.around.threads})\n\n" if has_threads else ""
    return threads + (_PLACED.get(framework, "") if case.around.memory else "")


def last_lines(case: Case) -> str:
    """The output that counts what was written beside arrays."""
    return 'got["overwritten"] = overwritten()\n' if case.around.memory else ""


def placed_literal(case: Case, array: Array, role: str = "tensor") -> str:
    """Source of an array in its place, with a memory of its own."""
    return _placed(literal(array), array, Memory(case.around.memory), role)


def _placed(text: str, array: Array, memory: Memory, role: str) -> str:
    """Source of an array in its place."""
    spot = memory.spot(array, role)
    if spot is None:
        return text
    return f"placed({text}, {tuple(map(int, spot.strides))}, {spot.first}, {spot.buffer.size})"


def _list(parts: Iterable[str]) -> str:
    """Parts of a list; of those that are equal and follow each other the first, and how many, if that is shorter."""
    found: list[tuple[str, int]] = []
    for part in parts:
        if found and found[-1][0] == part:
            found[-1] = part, found[-1][1] + 1
        else:
            found.append((part, 1))
    return ", ".join(min(", ".join([part] * n), f"*({part} for _ in range({n}))", key=len) for part, n in found)


# --- losses --------------------------------------------------------------------------------------


def loss_source(case: Case, names: Iterable[str]) -> str:
    """Lines that make ``arguments``, with these names, and ``upstream``, a tuple."""
    memory = Memory(case.around.memory)

    def source(value: Any, role: str) -> str:
        if isinstance(value, tuple):
            return f"({''.join(source(one, role) + ', ' for one in value)})"
        return _placed(literal(value), value, memory, role) if isinstance(value, np.ndarray) else literal(value)

    lines = "".join(f"    {k!r}: {source(case.inputs[k], k)},\n" for k in names)
    given = case.grad_output if isinstance(case.grad_output, tuple) else (case.grad_output,)
    return f"arguments = {{\n{lines}}}\nupstream = {source(given, 'upstream')}\n"


# --- optimizers ----------------------------------------------------------------------------------


_CUT = '''\
def cut(array, lengths):
    """Parts of an array, one after the other."""
    ends = np.cumsum(lengths)
    return [array[end - n:end] * 1 for end, n in zip(ends, lengths)]


'''


def trajectory_source(case: Case) -> str:
    """Lines that make ``params``, a list for each group, and ``gradients``, a list for each step."""
    trajectory, memory = case.inputs, Memory(case.around.memory)
    params = "".join(f"    {_arrays_source(group.params, memory, 'parameter')},\n" for group in trajectory.groups)
    gradients = "".join(f"    {_arrays_source(step, memory, 'gradient')},\n" for step in trajectory.gradients)
    text = f"params = [\n{params}]\ngradients = [\n{gradients}]\n"
    return (_CUT if "cut(" in text else "") + text


def _arrays_source(arrays: Sequence[Any], memory: Memory, role: str) -> str:
    """Source of a list of arrays; many short ones are cut from a long one."""
    dtypes = {a.dtype if isinstance(a, np.ndarray) and a.ndim == 1 else None for a in arrays}
    if len(arrays) > _MANY and len(dtypes) == 1 and None not in dtypes and memory.layout(role) is None:
        return f"cut({literal(np.concatenate(arrays))}, [{_list(str(a.size) for a in arrays)}])"
    parts = (_placed(literal(a), a, memory, role) if isinstance(a, np.ndarray) else literal(a) for a in arrays)
    return f"[{', '.join(parts)}]"


# --- events --------------------------------------------------------------------------------------

#: What is done after a step, by event, in the lines of a script that has ``optimizer``, ``params``, ``step``, ``make``.
_EVENTS = {
    "load": ("state = optimizer.state_dict()", "optimizer = make()", "optimizer.load_state_dict(state)"),
    "file": ("state = through_file(optimizer.state_dict())", "optimizer = make()", "optimizer.load_state_dict(state)"),
    "copy": ("optimizer, params, groups = copy.deepcopy((optimizer, params, groups))",),
    "shared": ("old, state = optimizer, optimizer.state_dict()", "optimizer = make()",
               "optimizer.load_state_dict(state)", "kept = [p.data * 1 for p in params]", "old.step()",
               "for p, numbers in zip(params, kept):", "    p.data[...] = numbers"),
    "moved": ("for p in params:", "    p.data = p.data.clone() if hasattr(p.data, 'clone') else p.data.copy()"),
    "reused": ("for g in step:", "    if g is not None:", "        g[...] = float('nan')"),
    "zeros": ("optimizer.zero_grad(set_to_none=False)",),
    "none": ("optimizer.zero_grad(set_to_none=True)",),
}

#: A step whose closure is counted, and whose loss has to come back.
_CLOSURE = '''\
    evaluated, loss = [], tensor([k + 0.5], (), "float32")

    def closure():
        evaluated.append(loss)
        return loss

    returned = optimizer.step(closure)
    history.setdefault("evaluated", []).append(len(evaluated))
    history.setdefault("returned", []).append(int(returned is not None and float(returned) == float(loss)))
'''

_THROUGH_FILE = {
    "torch": '''\
import io


def through_file(state):
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file)


''',
    "numpy": '''\
import pickle


def through_file(state):
    return pickle.loads(pickle.dumps(state))


'''}


def steps_source(case: Case, framework: str, give: str, notes: str, options: Callable[[Any], Any] = dict) -> str:
    """The loop over steps, for an ``optimizer`` with ``groups`` and ``params`` that ``make()`` has made.

    Args:
        give: source of a gradient ``g`` as it is given.
        notes: lines that note what there is after a step.
        options: makes of options what is written.
    """
    trajectory, event = case.inputs, case.around.happening
    _refuse_event(case)
    functions = {"file": _THROUGH_FILE.get(framework, ""), "copy": "import copy\n\n"}.get(case.around.event, "")
    text = f"{functions}history = {{}}\nfor k, step in enumerate(gradients):\n"
    if trajectory.joins:
        text += f"    if k == {trajectory.joins}:\n        optimizer.add_param_group(groups[-1])\n"
    for when, others in trajectory.settings:
        text += (f"    if k == {when}:\n        for group in optimizer.param_groups:\n"
                 f"            group.update({options(others)!r})\n")
    again = " if k != 1 else ()" if case.around.event == "again" else ""  # no new gradients
    text += f"    for p, g in zip(params, step){again}:\n        p.grad = {give}\n"
    text += _CLOSURE if event is not None and event.closure else (
        f"    optimizer.step({'closure' if trajectory.objective else ''})\n")
    text += notes
    if case.around:
        text += ("    for i, (p, g) in enumerate(zip(params, step)):\n"
                 "        if g is not None and p.grad is not None:\n"
                 '            history.setdefault(f"gradient[{i}]", []).append('
                 "p.grad.clone() if hasattr(p.grad, 'clone') else p.grad.copy())\n")
    if event is None or not event.acts:
        return text
    indent = "    " if event.always else "        "
    lines = "".join(f"{indent}{line}\n" for line in _EVENTS[case.around.event])
    return text + ("" if event.always else "    if k == 0:\n") + lines


def _refuse_event(case: Case) -> None:
    """Refuse what a script has no lines for.

    Raises:
        Unsupported: something happens that only this project does.
    """
    event = case.around.happening
    if case.around.is_complex or (event is not None and (event.arrays or event.scaled or (
            event.acts and case.around.event not in _EVENTS))):
        raise Unsupported(f"no script: what {case.around} does takes more than the framework's own calls")


def groups_source(case: Case, parameter: str, options: Callable[[Any], Any] = dict) -> str:
    """Lines that make ``groups`` of ``params``, and then ``params`` a list of all."""
    own = [options(group.options) for group in case.inputs.groups]
    return (f"groups = [{{'params': [{parameter}(p) for p in ps], **options}}\n"
            f"          for ps, options in zip(params, {own!r})]\n"
            "params = [p for group in groups for p in group['params']]\n")
