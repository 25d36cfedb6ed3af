"""The formula of an op in its source: what a case evaluates, and where in it something may be changed."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["STORED", "Named", "Slot", "at_top", "called_name", "is_refusal", "names_read", "reached", "sites"]

#: Keywords that decide what is refused or said, or keep balls what they are, and no value.
_SILENT_KEYWORDS = frozenset({"strict", "stacklevel", "subok", "old_name"})

#: Methods that read stored state, which no case does.
STORED = frozenset({"load_state_dict", "_load"})

Named = tuple[str, ast.stmt]  #: a function, method or constant by name
Slot = tuple[Any, str, int | None]  #: where a node stands: its parent, the field, and the place in a list


def at_top(tree: ast.Module) -> dict[str, ast.stmt]:
    """The functions, classes and constants of a module by name, in the order of the source."""
    found: dict[str, ast.stmt] = {}
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            found[statement.name] = statement
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            found |= {name.id: statement for target in targets for name in getattr(target, "elts", [target])
                      if isinstance(name, ast.Name)}
    return found


def reached(tree: ast.Module, wanted: Sequence[str]) -> Iterator[Named]:
    """Functions, methods and constants that some names lead to, with their names, in the order of the source."""
    known, left, names = at_top(tree), list(wanted), set()
    while left:
        name = left.pop()
        if name in names or name not in known:
            continue
        names.add(name)
        left += names_read(known[name])
    for name, statement in known.items():
        if name not in names:
            continue
        if isinstance(statement, ast.ClassDef):
            yield from ((f"{name}.{method.name}", method) for method in statement.body
                        if isinstance(method, ast.FunctionDef) and method.name not in STORED)
        else:
            yield name, statement


def _raises_only(statements: Sequence[ast.stmt]) -> bool:
    """Do they nothing but refuse and warn?"""
    return bool(statements) and (isinstance(statements[-1], ast.Raise) or all(map(_is_check, statements)))


def _is_check(statement: ast.stmt) -> bool:
    """Does it nothing but refuse, warn or say something?"""
    match statement:
        case ast.Raise() | ast.Assert() | ast.Pass():
            return True
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Expr(value=ast.Call() as call):
            return is_refusal(call)
        case ast.If():
            return _raises_only(statement.body) and (not statement.orelse or _raises_only(statement.orelse))
        case ast.For():
            return _raises_only(statement.body)
        case ast.Try():  # what is tried is tried for its error
            return (all(_raises_only(handler.body) for handler in statement.handlers)
                    and all(isinstance(inner, ast.Expr) for inner in statement.body) and not statement.orelse)
    return False


def names_read(top: ast.stmt) -> list[str]:
    """The names that a formula reads, beside those of checks."""
    return [node.id for _, node, _ in sites(top, top) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]


def is_refusal(call: ast.Call) -> bool:
    """Is it a check or a warning, by its name?"""
    name = called_name(call).lstrip("_")
    return name == "warn" or name.startswith("check")


def called_name(call: ast.Call) -> str:
    """The name of what is called, without the place that it is in."""
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def sites(node: ast.AST, statement: ast.stmt) -> Iterator[tuple[ast.stmt, ast.AST, Slot]]:
    """Nodes of a formula below a node, each with its statement and where it stands, in the order of the source."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "args", "type_comment") and not isinstance(
                node, ast.Call):
            continue
        if isinstance(node, ast.If) and name in ("test", "body") and _raises_only(node.body):
            continue
        for place, child in enumerate(value) if isinstance(value, list) else ((None, value),):
            if not isinstance(child, ast.AST) or isinstance(child, ast.JoinedStr):
                continue
            if isinstance(child, ast.stmt) and _is_check(child):
                continue
            if isinstance(child, ast.Call) and is_refusal(child):
                continue
            if isinstance(child, ast.keyword) and child.arg in _SILENT_KEYWORDS:
                continue
            inside = child if isinstance(child, ast.stmt) else statement
            yield inside, child, (node, name, place)
            yield from sites(child, inside)
