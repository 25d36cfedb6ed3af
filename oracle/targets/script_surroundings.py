"""Source that rebuilds the surroundings of a case: many elements of few, memory around arrays, what happens to steps.

Nothing long is written out: where an array is laid out, its few elements are, and the rule by which places were drawn.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ..cases.case import Case
from ..cases.surroundings.memory import Memory
from .script import literal

__all__ = ["first_lines", "groups_source", "last_lines", "loss_source", "placed_literal", "steps_source",
           "trajectory_source"]

Array = np.ndarray[Any, Any]

_FEW = 64  #: places that are written out

_DRAW = '''\
rng = np.random.Generator(np.random.Philox(key={key}))


def positions(count, shape):
    """Which of some elements stands at each place: drawn so that neighbours are never equal."""
    steps = rng.integers(1, max(count, 2), int(np.prod(shape)))
    return ((rng.integers(count) + np.cumsum(steps)) % count).reshape(shape)


'''

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


def _places(case: Case, places: Sequence[Array], counts: Sequence[int]) -> str:
    """Lines that make ``places``, a list of arrays: in which of so many elements each place's is."""
    if sum(at.size for at in places) <= _FEW:
        return f"places = [{', '.join(f'np.array({at.tolist()!r}).reshape({at.shape})' for at in places)}]\n"
    key = case.within(case.around.behind_the_truth).key("layout")
    if not case.around.is_broadcast:
        drawn = [f"positions({n}, {at.shape})" for at, n in zip(places, counts, strict=True)]
        return _DRAW.format(key=hex(key)) + f"places = [{_list(drawn)}]\n"
    lines = [f"np.broadcast_to(np.array({at[:1].tolist()!r}), {at.shape})" for at in places]
    return f"places = [{_list(lines)}]\n"


def _list(parts: Iterable[str]) -> str:
    """Parts of a list; of those that are equal and follow each other the first, and how many."""
    found: list[tuple[str, int]] = []
    for part in parts:
        if found and found[-1][0] == part:
            found[-1] = part, found[-1][1] + 1
        else:
            found.append((part, 1))
    return ", ".join(part if n == 1 else f"*({part} for _ in range({n}))" for part, n in found)


# --- losses --------------------------------------------------------------------------------------


def loss_source(case: Case, names: Iterable[str]) -> str:
    """Lines that make ``arguments``, with these names, and ``upstream``, a tuple."""
    memory = Memory(case.around.memory)
    rows, text = _row_places(case)
    base = case.base if case.laid_out else case

    def source(value: Any, small: Any, role: str) -> str:
        if isinstance(value, tuple):
            return f"({''.join(source(one, few, role) + ', ' for one, few in zip(value, small, strict=True))})"
        if not isinstance(value, np.ndarray):
            return literal(value)
        return _placed(rows(small), value, memory, role)

    lines = "".join(f"    {k!r}: {source(case.inputs[k], base.inputs[k], k)},\n" for k in names)
    given, few = ((one if isinstance(one, tuple) else (one,)) for one in (case.grad_output, base.grad_output))
    return f"{text}arguments = {{\n{lines}}}\nupstream = {source(given, few, 'upstream')}\n"


def _row_places(case: Case) -> tuple[Callable[[Array], str], str]:
    """How a base's array is written, and the lines that this needs."""
    if not case.laid_out:
        return literal, ""
    layout = case.layout
    count = int(np.prod(layout.base))

    def source(array: Array) -> str:
        if array.shape[:len(layout.base)] != layout.base:
            return literal(array)
        return f"{literal(array)}.reshape({(-1, *array.shape[len(layout.base):])})[places[0]]"

    return source, _places(case, [layout.at], [count])


# --- optimizers ----------------------------------------------------------------------------------


def trajectory_source(case: Case) -> str:
    """Lines that make ``params``, a list for each group, and ``gradients``, a list for each step."""
    trajectory, memory = case.inputs, Memory(case.around.memory)
    if not case.laid_out:
        return _literal_trajectory(case, memory)
    layout, base = case.layout, case.base.inputs
    own = [p for group in base.groups for p in group.params]
    lengths = [len(group.params) for group in trajectory.groups]
    steps = "".join(f"    [{', '.join(map(literal, step))}],\n" for step in base.gradients)
    text = (_places(case, layout.at, [own[source].size for source in layout.sources])
            + f"sources = [{_list(map(str, layout.sources))}]\n"
            f"few = [{', '.join(map(literal, own))}]\n"
            f"few_gradients = [\n{steps}]\n\n\n"
            "def laid_out(arrays):\n"
            '    """Few elements at many places, for each parameter."""\n'
            "    return [None if arrays[k] is None else arrays[k].reshape(-1)[at]\n"
            "            for k, at in zip(sources, places)]\n\n\n"
            "params, gradients = laid_out(few), [laid_out(step) for step in few_gradients]\n")
    for name, role, arrays in (("params", "parameter", [p for group in trajectory.groups for p in group.params]),
                               ("gradients", "gradient", [g for step in trajectory.gradients for g in step])):
        spots = [memory.spot(a, role) for a in arrays if isinstance(a, np.ndarray)]
        if spots and spots[0] is not None:
            text += _place_all(name, spots, len(trajectory.gradients))
    starts = np.cumsum([0, *lengths]).tolist()
    groups = ", ".join(f"params[{a}:{b}]" for a, b in itertools.pairwise(starts))
    return f"{text}params = [{groups}]\n"


def _place_all(name: str, spots: Sequence[Any], steps: int) -> str:
    """A line that gives each array its place; gradients have it at each step."""
    count = len(spots) if name == "params" else len(spots) // steps
    where = [(tuple(map(int, s.strides)), s.first, s.buffer.size) for s in spots[:count]]
    one = "[None if a is None else placed(a, *at) for a, at in zip({}, where)]"
    made = one.format("params") if name == "params" else f"[{one.format('step')} for step in gradients]"
    return f"where = {where!r}\n{name} = {made}\n"


def _literal_trajectory(case: Case, memory: Memory) -> str:
    trajectory = case.inputs

    def source(value: Any, role: str) -> str:
        text = literal(value)
        return _placed(text, value, memory, role) if isinstance(value, np.ndarray) else text

    def lines(lists: Iterable[Sequence[Any]], role: str) -> str:
        return "".join(f"    [{', '.join(source(one, role) for one in some)}],\n" for some in lists)

    params, gradients = lines((group.params for group in trajectory.groups), "parameter"), lines(
        trajectory.gradients, "gradient")
    return f"params = [\n{params}]\ngradients = [\n{gradients}]\n"


# --- events --------------------------------------------------------------------------------------

#: What is done after a step, by event, in the lines of a script that has ``optimizer``, ``params``, ``step``, ``make``.
_EVENTS = {
    "load": ("state = optimizer.state_dict()", "optimizer = make()", "optimizer.load_state_dict(state)"),
    "file": ("state = through_file(optimizer.state_dict())", "optimizer = make()", "optimizer.load_state_dict(state)"),
    "copy": ("optimizer, params, groups = copy.deepcopy((optimizer, params, groups))",),
    "moved": ("for p in params:", "    p.data = p.data.clone() if hasattr(p.data, 'clone') else p.data.copy()"),
    "reused": ("for g in step:", "    if g is not None:", "        g[...] = float('nan')"),
    "zeros": ("optimizer.zero_grad(set_to_none=False)",),
    "none": ("optimizer.zero_grad(set_to_none=True)",),
}

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
    functions = {"file": _THROUGH_FILE.get(framework, ""), "copy": "import copy\n\n"}.get(case.around.event, "")
    text = f"{functions}history = {{}}\nfor k, step in enumerate(gradients):\n"
    if trajectory.joins:
        text += f"    if k == {trajectory.joins}:\n        optimizer.add_param_group(groups[-1])\n"
    for when, others in trajectory.settings:
        text += (f"    if k == {when}:\n        for group in optimizer.param_groups:\n"
                 f"            group.update({options(others)!r})\n")
    again = " if k != 1 else ()" if case.around.event == "again" else ""  # no new gradients
    text += f"    for p, g in zip(params, step){again}:\n        p.grad = {give}\n"
    text += f"    optimizer.step({'closure' if trajectory.objective else ''})\n{notes}"
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


def groups_source(case: Case, parameter: str, options: Callable[[Any], Any] = dict) -> str:
    """Lines that make ``groups`` of ``params``, and then ``params`` a list of all."""
    own = [options(group.options) for group in case.inputs.groups]
    return (f"groups = [{{'params': [{parameter}(p) for p in ps], **options}}\n"
            f"          for ps, options in zip(params, {own!r})]\n"
            "params = [p for group in groups for p in group['params']]\n")
