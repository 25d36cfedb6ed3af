"""Right variants of the references: their own source with the operations of some places done in another sound way.

A place is an operation in a function that an op reaches, in the op's own module or in one that ops share. What may be
done there is read off the source; the operation itself is in :mod:`.ways`. A variant does one place in one way
(:func:`single`), or every place in a way of one kind (:func:`everywhere`), or each in one drawn by chance.

>>> from oracle.cases import registry
>>> variant = next(v for v in single(registry.get("Adam")) if v.kind == "product")
>>> print(variant.before, variant.after, sep="\\n")
(1 - beta2) * g * g
oracle_ways.product(((0, 'Mult', 1), 'Mult', 2), (0, 2, 1), 1 - beta2, g, g)
"""

from __future__ import annotations

import ast
import contextlib
import itertools
import random
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from ..cases.spec import Spec
from . import ways
from .formula import at_top, called_name, reached, sites
from .mutation import module_of, roots
from .shared_code import codes_in, functions_of, reached_by

__all__ = ["KINDS", "Right", "everywhere", "planted_right", "right_variants", "single"]

#: The name under which a rewritten function finds the ways.
_WAYS = "oracle_ways"

#: Kinds of ways, and what of the contract each of them is.
KINDS = {"product": "factors in another order", "terms": "terms in another order", "reciprocal": "division by a number",
         "fused": "a product and a sum", "operation": "within a unit", "function": "within a unit",
         "sum": "terms of an array in another order", "matmul": "sums of products in another order"}

#: Orders of many factors that are tried, spread over all.
_ORDERS = 8

#: Variants of an op in which each place is done in a way that chance draws.
_MIXED = 12

#: NumPy's functions that are computed, not looked up.
_FUNCTIONS = frozenset({"exp", "expm1", "log", "log1p", "sqrt", "tanh", "sin", "cos", "tan", "power", "square",
                        "reciprocal", "add", "subtract", "multiply", "divide"})
_SUMS = frozenset({"add_up", "np.sum", "np.add.reduce"})

#: Where: the module, the function, and the number of the node in it.
Place = tuple[str, str, int]


@dataclass(frozen=True)
class Way:
    """One way of doing the operation of a place."""

    kind: str
    name: str  #: e.g. ``product 0 2 1``
    node: ast.expr = field(compare=False)  #: what stands in the operation's place; its operands are those of the source


@dataclass(frozen=True)
class Right:
    """A right variant of an op: what is done otherwise, place by place."""

    id: str
    op: str
    kind: str
    file: str
    line: int
    function: str
    before: str
    after: str
    plan: tuple[tuple[Place, str], ...] = field(repr=False)  #: places, each with the name of its way


# --- what may be done at a place -----------------------------------------------------------------

def _name(*parts: str) -> ast.expr:
    return ast.parse(".".join((_WAYS, *parts)), mode="eval").body


def _call(function: str, literals: Sequence[Any], operands: Sequence[ast.expr], after: bool = False) -> ast.Call:
    given: list[ast.expr] = [ast.parse(repr(value), mode="eval").body for value in literals]
    return ast.Call(_name(function), [*operands, *given] if after else [*given, *operands], [])


def _ways_of(node: ast.AST, inside: bool) -> Iterator[Way]:
    """The ways of a node; ``inside`` says that it is an operand of one of its own kind, which has the orders."""
    match node:
        case ast.BinOp(op=ast.Mult() | ast.Div()):
            if not inside:
                yield from _orders(node, "product", (ast.Mult, ast.Div))
            if isinstance(node.op, ast.Div):
                yield Way("reciprocal", "reciprocal", _call("divided", (), (node.left, node.right)))
        case ast.BinOp(op=ast.Add() | ast.Sub()):
            if not inside:
                yield from _orders(node, "terms", (ast.Add, ast.Sub))
            yield from _fusions(node)
        case ast.BinOp(op=ast.MatMult()):
            for manner in ways.SUMS:
                yield Way("matmul", f"matmul {manner}", _call("matmul", (manner,), (node.left, node.right)))
        case ast.Call():
            yield from _calls(node)
    if isinstance(node, ast.BinOp) and type(node.op).__name__ in ("Add", "Sub", "Mult", "Div"):
        for direction in ways.DIRECTIONS:
            literals = type(node.op).__name__, direction
            yield Way("operation", f"operation {direction}", _call("operated", literals, (node.left, node.right)))


def _calls(node: ast.Call) -> Iterator[Way]:
    function = ast.unparse(node.func)
    if any(isinstance(argument, ast.Starred) for argument in node.args):
        return
    if function in _SUMS and node.args:
        for manner in ways.SUMS:
            call = ast.Call(_name("total"), [node.func, ast.Constant(manner), *node.args], node.keywords)
            yield Way("sum", f"sum {manner}", call)
    elif function == f"np.{called_name(node)}" and called_name(node) in _FUNCTIONS and not node.keywords:
        for direction in ways.DIRECTIONS:
            call = ast.Call(_name("called"), [node.func, ast.Constant(direction), *node.args], [])
            yield Way("function", f"function {direction}", call)


def _orders(node: ast.BinOp, kind: str, operators: tuple[type[ast.operator], ...]) -> Iterator[Way]:
    """Orders of three operands or more, of which the first is no divisor and not subtracted."""
    operands: list[ast.expr] = []
    shape = _shape(node, operators, operands)
    inverses = ways.inverses(shape)
    whole = tuple(range(len(operands)))
    orders = [order for order in itertools.permutations(whole) if not inverses[order[0]] and order != whole
              and order[:2] != (whole[1], whole[0])] if 2 < len(whole) < 8 else []
    function = "product" if kind == "product" else "added"
    for order in orders[::max(len(orders) // _ORDERS, 1)][:_ORDERS]:
        yield Way(kind, f"{kind} {' '.join(map(str, order))}", _call(function, (shape, order), operands))


def _shape(node: ast.expr, operators: tuple[type[ast.operator], ...], operands: list[ast.expr]) -> ways.Shape:
    if isinstance(node, ast.BinOp) and isinstance(node.op, operators):
        left = _shape(node.left, operators, operands)
        return left, type(node.op).__name__, _shape(node.right, operators, operands)
    operands.append(node)
    return len(operands) - 1


def _fusions(node: ast.BinOp) -> Iterator[Way]:
    """a b + c and its kin, with the product on either side."""
    minus = isinstance(node.op, ast.Sub)
    for product, other, sign in ((node.left, node.right, -1 if minus else 1),
                                 (node.right, node.left, 0 if minus else 1)):
        if isinstance(product, ast.BinOp) and isinstance(product.op, ast.Mult):
            operands = (product.left, product.right, other)
            yield Way("fused", f"fused {'left' if product is node.left else 'right'}",
                      _call("fused", (sign,), operands, after=True))


# --- places --------------------------------------------------------------------------------------

@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(Path(str(sys.modules[module].__file__)).read_text(encoding="utf-8"))


def _functions(spec: Spec) -> dict[str, dict[str, ast.FunctionDef]]:
    """By module the functions that an op reaches, by their names."""
    own = module_of(spec).__name__
    wanted = {(own, name) for name, _ in reached(_tree(own), roots(spec))} | reached_by(spec.name)
    found: dict[str, dict[str, ast.FunctionDef]] = {}
    for module in sorted({module for module, _ in wanted}, key=lambda module: (module != own, module)):
        named = [(name, top) for name, top in _parts(_tree(module)) if (module, name) in wanted]
        found[module] = dict(named)
    return found


def _parts(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    """The functions and methods of a module; one that has two of a name, a property say, is left alone."""
    for name, statement in at_top(tree).items():
        inner = statement.body if isinstance(statement, ast.ClassDef) else [statement]
        prefix = f"{name}." if isinstance(statement, ast.ClassDef) else ""
        parts = [one for one in inner if isinstance(one, ast.FunctionDef)]
        names = [one.name for one in parts]
        yield from ((prefix + one.name, one) for one in parts if names.count(one.name) == 1)


def _places(function: ast.FunctionDef) -> Iterator[tuple[int, ast.expr, Sequence[Way]]]:
    """The places of a function by number, each with its ways."""
    for number, (_, node, (parent, _, _)) in enumerate(sites(function, function)):
        if isinstance(node, ast.expr) and (found := list(_ways_of(node, _is_operand_of_its_kind(node, parent)))):
            yield number, node, found


def _is_operand_of_its_kind(node: ast.AST, parent: ast.AST) -> bool:
    if not isinstance(node, ast.BinOp) or not isinstance(parent, ast.BinOp):
        return False
    products = (ast.Mult, ast.Div)
    return isinstance(node.op, products) == isinstance(parent.op, products) and isinstance(
        parent.op, (*products, ast.Add, ast.Sub))


# --- variants ------------------------------------------------------------------------------------

@cache
def single(spec: Spec) -> Sequence[Right]:
    """The variants of an op with one place in another way, those in its own module first."""
    found, seen = [], Counter[str]()
    for module, functions in _functions(spec).items():
        file = Path(str(sys.modules[module].__file__)).name
        for name, function in functions.items():
            for number, node, found_ways in _places(function):
                for way in found_ways:
                    label = f"{spec.name}:{file}:{node.lineno}:{way.name}"
                    seen[label] += 1
                    unique = label if seen[label] == 1 else f"{label}#{seen[label]}"
                    found.append(Right(unique, spec.name, way.kind, file, node.lineno, name, ast.unparse(node),
                                       ast.unparse(way.node), (((module, name, number), way.name),)))
    return tuple(found)


@cache
def everywhere(spec: Spec) -> Sequence[Right]:
    """The variants of an op with all places of a kind in one way, and with all in ways that chance draws."""
    options: dict[Place, list[str]] = {}
    kinds: dict[str, str] = {}
    for one in single(spec):
        ((place, name),) = one.plan
        options.setdefault(place, []).append(name)
        kinds[name] = one.kind
    plans = {f"every {name}": {place: name for place, names in options.items() if name in names} for name in kinds
             if kinds[name] not in ("product", "terms")}
    for kind in ("product", "terms"):
        for i in range(_ORDERS):
            drawn = {place: own[i % len(own)] for place, names in options.items()
                     if (own := [name for name in names if kinds[name] == kind])}
            plans[f"every {kind} #{i}"] = drawn
    for i in range(_MIXED):
        chance = random.Random(f"{spec.name} {i}")
        plans[f"mixed #{i}"] = {place: chance.choice(names) for place, names in options.items()}
    file = Path(str(module_of(spec).__file__)).name
    return tuple(Right(f"{spec.name}:{name}", spec.name, name.partition(" ")[0], file, 0, "", "", name,
                       tuple(plan.items())) for name, plan in plans.items() if plan)


def right_variants(spec: Spec) -> Sequence[Right]:
    """All variants of an op: those with many places first."""
    return (*everywhere(spec), *single(spec))


# --- planting ------------------------------------------------------------------------------------

@contextlib.contextmanager
def planted_right(variant: Right) -> Iterator[None]:
    """The variant's functions stand in the place of the references' for as long as the context lasts."""
    changes = _code_of(variant)
    before = [function.__code__ for function, _ in changes]
    for function, code in changes:
        function.__globals__[_WAYS] = ways
        function.__code__ = code
    try:
        yield
    finally:
        for (function, _), code in zip(changes, before, strict=True):
            function.__code__ = code
            function.__globals__.pop(_WAYS, None)


@lru_cache(1)  # of the variant that case after case is run with
def _code_of(variant: Right) -> list[tuple[FunctionType, CodeType]]:
    plan = dict(variant.plan)
    return [change for module in sorted({module for module, _, _ in plan}) for change in _compiled(module, plan)]


def _compiled(module: str, plan: Mapping[Place, str]) -> Iterator[tuple[FunctionType, CodeType]]:
    """The functions of a module that a plan changes, with their new code."""
    tree = ast.parse(Path(str(sys.modules[module].__file__)).read_text(encoding="utf-8"))
    changed = {name for where, name, _ in plan if where == module}
    for name, function in _parts(tree):
        if name in changed:
            mine = {number: way for (where, what, number), way in plan.items() if (where, what) == (module, name)}
            _rewrite(function, mine)
    code = compile(ast.fix_missing_locations(tree), str(sys.modules[module].__file__), "exec", dont_inherit=True)
    made = {one.co_qualname: one for one in codes_in(code)}
    for original in functions_of(sys.modules[module]):
        if original.__qualname__ in changed:
            yield original, made[original.__qualname__]


def _rewrite(function: ast.FunctionDef, plan: Mapping[int, str]) -> None:
    """Put ways into their places, inner ones first: an outer one takes the operands as they have become."""
    nodes = [(node, slot) for _, node, slot in sites(function, function)]
    inside = [_is_operand_of_its_kind(node, parent) for node, (parent, _, _) in nodes]
    for number in sorted(plan, reverse=True):  # what is inside comes later in the source's order
        node, (parent, name, place) = nodes[number]
        found = {way.name: way.node for way in _ways_of(node, inside[number])}
        if plan[number] not in found:
            continue  # an inner one has changed what this would have changed
        new = ast.copy_location(found[plan[number]], node)
        if place is None:
            setattr(parent, name, new)
        else:
            getattr(parent, name)[place] = new
