"""Mutants: an op's reference with one mechanical change in its formula, made from its own source.

Changed is what a case evaluates: the functions and constants of the op's own module that its ``function``,
``backward`` or ``optimizer`` reaches. Left alone is what decides no value that a case compares: docstrings,
annotations, default arguments, warnings, what raises, what is computed only to decide whether to raise, and
the reading of stored state. A swap in what is symmetric (:data:`SYMMETRIC`) is no change, and is not made.
The modules that ops share have mutants of their own: see :mod:`oracle.proving.shared_code`.

>>> from oracle.cases import registry
>>> mutant = next(m for m in mutants(registry.get("Adam")) if m.kind == "Pow->left")
>>> print(mutant.id, mutant.before, mutant.after, sep="\\n")  # doctest: +ELLIPSIS
Adam:adam.py:...:Pow->left
denominator = np.sqrt(v_max if amsgrad else v) / (1 - beta2 ** t) ** 0.5 + eps
denominator = np.sqrt(v_max if amsgrad else v) / (1 - beta2 ** t) + eps
"""

from __future__ import annotations

import ast
import contextlib
import copy
import itertools
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from ..cases.registry import followed_by
from ..cases.spec import OptimSpec, Spec
from .formula import Named, Slot, called_name, names_read, reached, sites

__all__ = ["SYMMETRIC", "Mutant", "made_in", "module_of", "mutants", "planted_in", "roots"]


@dataclass(frozen=True)
class Mutant:
    """One change in the source of one op's reference."""

    id: str  #: e.g. ``Adam:adam.py:37:Mult->Div``; a second one of the kind in a line ends in ``#2``
    op: str
    file: str  #: name of the module's file
    line: int
    function: str  #: the function or method it is in, or the constant
    kind: str
    before: str  #: the statement, as ``ast.unparse`` writes it; of a compound one its head
    after: str
    source: str = field(repr=False)  #: the whole module with the change


#: What becomes of an operator, beside being dropped with one of its operands.
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift, ast.RShift: ast.LShift}

#: A term or a factor that is dropped leaves the operand of this name.
_LEAVES = {ast.Add: ("left", "right"), ast.Sub: ("left", "right"), ast.Mult: ("left", "right"), ast.Div: ("left",),
           ast.Pow: ("left",), ast.Mod: ("left",), ast.BitAnd: ("left", "right"), ast.BitOr: ("left", "right"),
           ast.MatMult: ("left",)}

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt), ast.LtE: (ast.Lt, ast.GtE), ast.Gt: (ast.GtE, ast.Lt), ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,), ast.NotIn: (ast.In,)}

#: Names that stand for each other: reductions and functions that are easily mistaken.
_NAMES = {a: b for pair in (
    ("maximum", "minimum"), ("max", "min"), ("fmax", "fmin"), ("argmax", "argmin"), ("any", "all"), ("sum", "mean"),
    ("log", "log1p"), ("exp", "expm1"), ("zeros", "ones"), ("zeros_like", "ones_like"), ("row_max", "row_sum"),
    ("floor", "ceil"), ("sqrt", "square"), ("sin", "cos"), ("uniform_", "normal_"), ("cumsum", "cumprod"),
    ("total", "row_sum"), ("logical_and", "logical_or")) for a, b in (pair, pair[::-1])}
_NAMES |= {"prod": "sum", "abs": "negative"}

#: Functions whose arguments are not swapped: nothing would change (the scalar product is that of real vectors), or
#: the names are no arguments of a formula.
SYMMETRIC = frozenset({"maximum", "minimum", "max", "min", "add", "multiply", "hypot", "result_type",
                       "common_shape", "broadcast_pair", "broadcast_shapes", "isinstance", "gcd", "vecdot"})

@cache
def mutants(spec: Spec) -> Sequence[Mutant]:
    """All mutants of an op, in the order of its source; the same each time."""
    module = module_of(spec)
    return made_in(module, spec.name, lambda tree: reached(tree, roots(spec)))


def made_in(module: ModuleType, op: str, changed: Callable[[ast.Module], Iterable[Named]]) -> Sequence[Mutant]:
    """All mutants of some functions and constants of a module, which are named after an op (or a module)."""
    path = Path(str(module.__file__))
    text = path.read_text(encoding="utf-8")
    seen: Counter[str] = Counter()
    found = []
    for name, statement, node, slot, kind, new in _changes(changed(ast.parse(text)), vars(module)):
        before, after = _head(statement), _head_with(statement, node, slot, new)
        label = f"{op}:{path.name}:{node.lineno}:{kind}"
        seen[label] += 1
        unique = label if seen[label] == 1 else f"{label}#{seen[label]}"
        found.append(Mutant(unique, op, path.name, node.lineno, name, kind, before, after, _spliced(text, node, new)))
    return tuple(found)


@contextlib.contextmanager
def planted_in(mutant: Mutant, spec: Spec) -> Iterator[Spec]:
    """The spec of a mutant: its module is run under a private name, which is gone afterwards.

    The module of the spec is run again as well, with the mutant in the place of the formula: its draws may use it.
    """
    original, asking = (sys.modules[name] for name in followed_by(spec))
    module = _twin(original)
    sys.modules[module.__name__] = module  # a NamedTuple looks itself up
    try:
        exec(compile(mutant.source, mutant.id, "exec"), vars(module))
        yield _asked_of(module, original, asking)
    finally:
        del sys.modules[module.__name__]


def _twin(module: ModuleType) -> ModuleType:
    """An empty module that imports as another does."""
    twin = ModuleType(f"{module.__name__}__mutant")
    twin.__package__, twin.__file__ = module.__package__, module.__file__
    return twin


def _asked_of(module: ModuleType, original: ModuleType, asking: ModuleType) -> Spec:
    """The spec that the module of an op's spec makes, where it finds a module in the place of the formula's."""
    twin, path = _twin(asking), str(asking.__file__)
    sys.modules[original.__name__] = module
    try:
        exec(compile(Path(path).read_text(encoding="utf-8"), path, "exec"), vars(twin))
    finally:
        sys.modules[original.__name__] = original
    spec = twin.SPEC
    assert isinstance(spec, Spec)
    return spec


def module_of(spec: Spec) -> ModuleType:
    """The module of an op's own."""
    return sys.modules[spec.implementation.__module__]


def roots(spec: Spec) -> list[str]:
    """The names in its module of what a case evaluates."""
    module = module_of(spec)
    wanted = [spec.implementation] if isinstance(spec, OptimSpec) else [
        getattr(spec, name) for name in ("function", "backward") if hasattr(spec, name)]
    return [name for name, value in vars(module).items() if any(value is one for one in wanted)]


# --- what is changed -----------------------------------------------------------------------------

_Change = tuple[str, ast.stmt, Any, Slot, str, Any]


def _changes(changed: Iterable[Named], names: dict[str, Any]) -> Iterator[_Change]:
    for name, top in changed:
        read, said = set(names_read(top)), set()
        for statement, node, slot in sites(top, top):
            if (isinstance(top, ast.FunctionDef) and isinstance(statement, ast.Assign)
                    and all(isinstance(target, ast.Name) and target.id not in read for target in statement.targets)):
                continue  # what only a check reads
            new_nodes = itertools.chain(_replacements(node, names), _negations(node, slot))
            for kind, new in new_nodes:
                after = _head_with(statement, node, slot, new)
                if (id(statement), after) not in said:  # two ways to the same change are one mutant
                    said.add((id(statement), after))
                    yield name, statement, node, slot, kind, new


def _replacements(node: ast.AST, names: dict[str, Any]) -> Iterator[tuple[str, ast.AST]]:
    """What may stand in a node's place, and what that is called."""
    match node:
        case ast.BinOp():
            yield from _of_operation(node)
        case ast.AugAssign(op=op) if type(op) in _OPERATORS:
            other = _OPERATORS[type(op)]
            yield _arrow(op, other), ast.AugAssign(node.target, other(), node.value)
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert() as op):
            yield f"{type(op).__name__}->", node.operand
        case ast.BoolOp(op=op):
            other_op = ast.Or if isinstance(op, ast.And) else ast.And
            yield _arrow(op, other_op), ast.BoolOp(other_op(), node.values)
        case ast.Compare():
            for i, operator in enumerate(node.ops):
                for comparison in _COMPARISONS[type(operator)]:
                    ops = [*node.ops[:i], comparison(), *node.ops[i + 1:]]
                    yield _arrow(operator, comparison), ast.Compare(node.left, ops, node.comparators)
        case ast.Constant(value=bool() as value):
            yield f"{value}->{not value}", ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            for number in _others(value):
                yield f"{value}->{number}", ast.Constant(number)
        case ast.Call():
            yield from _swapped(node)
            if any(keyword.arg == "axis" for keyword in node.keywords):
                rest = [keyword for keyword in node.keywords if keyword.arg != "axis"]
                yield "axis->", ast.Call(node.func, node.args, rest)
        case ast.Attribute(attr=attr, ctx=ast.Load()) if attr in _NAMES:
            yield f"{attr}->{_NAMES[attr]}", ast.Attribute(node.value, _NAMES[attr], node.ctx)
        case ast.Name(id=id_, ctx=ast.Load()) if _NAMES.get(id_) in {*names, "max", "min", "sum", "any", "all"}:
            yield f"{id_}->{_NAMES[id_]}", ast.Name(_NAMES[id_], node.ctx)


def _of_operation(node: ast.BinOp) -> Iterator[tuple[str, ast.AST]]:
    operator = type(node.op)
    if any(isinstance(side, ast.Dict | ast.DictComp) for side in (node.left, node.right)):
        return  # the union of two mappings
    if operator in _OPERATORS:
        yield _arrow(node.op, _OPERATORS[operator]), ast.BinOp(node.left, _OPERATORS[operator](), node.right)
    for side in _LEAVES.get(operator, ()):
        rest = getattr(node, side)
        negative = operator is ast.Sub and side == "right"
        yield f"{operator.__name__}->{side}", ast.UnaryOp(ast.USub(), rest) if negative else rest


def _others(value: float) -> tuple[float, ...]:
    """Off by one; a fraction by a thousandth, since a gross error shows where a small one does."""
    if isinstance(value, int):
        return (value + 1, value - 1)
    return (value * 1.001,) if value else (1.0,)


def _swapped(call: ast.Call) -> Iterator[tuple[str, ast.AST]]:
    name = called_name(call)
    if name in SYMMETRIC:
        return
    for i, (a, b) in enumerate(itertools.pairwise(call.args)):
        if not isinstance(a, ast.Starred) and not isinstance(b, ast.Starred) and ast.dump(a) != ast.dump(b):
            arguments = [*call.args[:i], b, a, *call.args[i + 2:]]
            yield f"{name}({i}<->{i + 1})", ast.Call(call.func, arguments, call.keywords)


def _negations(node: ast.AST, slot: Slot) -> Iterator[tuple[str, ast.AST]]:
    """A condition the other way round, where no change of its own operator does that."""
    parent, name, _ = slot
    condition = ((isinstance(parent, ast.If | ast.IfExp | ast.While) and name == "test")
                 or (isinstance(parent, ast.comprehension) and name == "ifs"))
    said = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
    said = said or (isinstance(node, ast.Compare) and len(node.ops) == 1 and len(_COMPARISONS[type(node.ops[0])]) == 1)
    if condition and not said:
        yield f"{type(parent).__name__.lower()}->not", ast.UnaryOp(ast.Not(), node)  # type: ignore[arg-type]  # an expr


def _arrow(old: ast.AST, new: type[ast.AST]) -> str:
    return f"{type(old).__name__}->{new.__name__}"


# --- text ----------------------------------------------------------------------------------------

@contextlib.contextmanager
def _put(slot: Slot, new: Any) -> Iterator[None]:
    """Another node in a place of the tree, for as long as the context lasts."""
    parent, name, place = slot
    holder: Any = vars(parent) if place is None else getattr(parent, name)
    key: Any = name if place is None else place
    old = holder[key]
    holder[key] = new
    try:
        yield
    finally:
        holder[key] = old


def _head_with(statement: ast.stmt, node: ast.AST, slot: Slot, new: Any) -> str:
    with _put(slot, new):
        return _head(new if node is statement else statement)


def _head(statement: ast.stmt) -> str:
    """A statement's text; of a compound one without what is inside."""
    if not hasattr(statement, "body"):
        return ast.unparse(statement)
    head = copy.copy(statement)
    for name in ("body", "orelse", "finalbody", "handlers"):
        if hasattr(head, name):
            setattr(head, name, [ast.Expr(ast.Constant(...))] if name == "body" else [])
    return ast.unparse(ast.fix_missing_locations(head)).removesuffix("...").rstrip()


def _spliced(text: str, node: Any, new: ast.AST) -> str:
    """The text with a node's part replaced; all lines before it keep their numbers."""
    lines = text.encode().splitlines(keepends=True)
    start = sum(map(len, lines[:node.lineno - 1])) + node.col_offset
    end = sum(map(len, lines[:node.end_lineno - 1])) + node.end_col_offset
    code = ast.unparse(ast.fix_missing_locations(new))
    code = f"({code})" if isinstance(new, ast.expr) else code
    whole = b"".join(lines)
    return (whole[:start] + code.encode() + whole[end:]).decode()
