"""Mutants of the modules that ops share, each planted in all ops at once.

Changed is what some op's roots reach outside the op's own module: functions and constants by name, methods by the
attribute that reads them. The mutants are those of :mod:`oracle.proving.mutation`, and are named after the module.

A mutant of a function is its code object, put into the function that there is: every module that imports it runs the
change, no module is run twice, and classes, generators and specs stay what they are. A mutant of a constant is the
constant, and those of its module that follow from it, bound anew in that module and wherever they are imported.

>>> mutant = next(m for m in shared_mutants("numerics") if m.function == "softplus")
>>> print(mutant.id, mutant.before, mutant.after, sep="\\n")  # doctest: +ELLIPSIS
numerics:numerics.py:...:Add->Sub
return np.asanyarray(maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))
return np.asanyarray(maximum(x, 0) - np.log1p(np.exp(-np.abs(x))))
"""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

import reference

from ..cases import registry
from ..cases.spec import OptimSpec
from .formula import STORED, at_top, is_refusal, names_read, reached, sites
from .mutation import Mutant, made_in, module_of, roots

__all__ = ["Place", "called", "codes_in", "constants_kept", "feel", "functions_of", "names", "ops_of", "planted",
           "reached_by", "shared_mutants"]

#: A function, a method (``Class.method``) or a constant, with the module that it is in.
Place = tuple[str, str]

_PACKAGE = f"{reference.__name__}."
_HERE = Path(reference.__path__[0])

#: Methods that say something about an object, and decide no value.
SAYING = frozenset({"__repr__", "__str__"})


def names() -> list[str]:
    """The modules with mutants, by their names below ``reference``."""
    return [name for name in sorted({module.removeprefix(_PACKAGE) for module, _ in _shared()})
            if shared_mutants(name)]


@cache
def shared_mutants(name: str) -> Sequence[Mutant]:
    """All mutants of a shared module, in the order of its source; the same each time.

    >>> {m.function for m in shared_mutants("losses._logits")} == {"logit_losses", "logit_slopes"}
    True
    """
    wanted = {function for module, function in _shared() if module == _PACKAGE + name}
    return made_in(sys.modules[_PACKAGE + name], name, lambda tree: _functions(tree, wanted))


# --- what is reached -----------------------------------------------------------------------------

class _Source:
    """The functions, classes and constants of one module, and what they read."""

    def __init__(self, module: str) -> None:
        self.module = module
        self.tree = ast.parse(Path(str(sys.modules[module].__file__)).read_text(encoding="utf-8"))
        self.top = at_top(self.tree)
        self.imported = _imported(self.tree, module)
        self.foreign = _foreign(self.tree)
        self.methods: dict[str, list[str]] = {}
        self.parts: dict[str, list[ast.AST]] = {}
        for name, statement in self.top.items():
            self.parts[name] = [statement]
            if isinstance(statement, ast.ClassDef):
                inner = [one for one in statement.body if isinstance(one, ast.FunctionDef)]
                self.parts[name] = [*statement.bases, *(one for one in statement.body if one not in inner)]
                self.methods[name] = [f"{name}.{one.name}" for one in inner]
                for one in inner:  # a property and its setter have one name
                    self.parts.setdefault(f"{name}.{one.name}", []).append(one)

    def leads_to(self, name: str) -> tuple[set[Place], set[str]]:
        """What a function, class or constant reads by name, and the names of the attributes that it reads."""
        nodes = [node for part in self.parts[name] for node in _read(part)]
        attributes = [node for node in nodes if isinstance(node, ast.Attribute)]
        places = {self.imported.get(node.id, (self.module, node.id)) for node in nodes if isinstance(node, ast.Name)}
        places |= {(".".join(self.imported[node.value.id]), node.attr) for node in attributes
                   if isinstance(node.value, ast.Name) and node.value.id in self.imported}
        return ({place for place in places if _is_known(place)},
                {node.attr for node in attributes if getattr(node.value, "attr", "") not in self.foreign
                 and not _is_numpys(node.value)})


def _read(part: ast.AST) -> Iterator[ast.AST]:
    """What a formula reads; of a check that it goes on with, the check."""
    for node in (part, *(inner for _, inner, _ in sites(part, ast.Pass()))):
        yield node
        if not isinstance(node, ast.Expr):
            yield from (child.func for child in ast.iter_child_nodes(node)
                        if isinstance(child, ast.Call) and is_refusal(child))


def _foreign(tree: ast.Module) -> set[str]:
    """Attributes of ``self`` that hold what NumPy made: their methods are none of the project's."""
    made = [node for node in ast.walk(tree) if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)]
    return {target.attr for node in made for target in node.targets
            if isinstance(target, ast.Attribute) and _is_numpys(node.value)}


def _is_numpys(node: ast.AST) -> bool:
    return ast.unparse(node).startswith(("np.", "math."))


@cache
def _source(module: str) -> _Source:
    return _Source(module)


def _is_known(place: Place) -> bool:
    module, name = place
    return module.startswith(_PACKAGE) and module in sys.modules and name in _source(module).top


def _imported(tree: ast.Module, module: str) -> dict[str, Place]:
    """The names that a module takes from others of the project, and what they are there."""
    found: dict[str, Place] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.level:
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), module.rpartition(".")[0])
            found |= {alias.asname or alias.name: (base, alias.name) for alias in node.names}
    return found


def _is_called(method: str, wanted: set[str]) -> bool:
    """Is a method read by its name, or called by Python and no mere description?"""
    return method in wanted or (method.startswith("__") and method not in SAYING)


def _reach(start: set[Place], attributes: set[str]) -> set[Place]:
    """All places that are read on the way from some places.

    Of a class that is met: the methods whose names are read somewhere, and those that Python itself calls.
    """
    left, found, read = list(start), set[Place](), set(attributes)

    def methods(module: str, name: str, wanted: set[str]) -> list[Place]:
        return [(module, method) for method in _source(module).methods.get(name, ())
                if _is_called(method.partition(".")[2], wanted)]

    while left:
        module, name = place = left.pop()
        if place in found:
            continue
        found.add(place)
        places, attributes = _source(module).leads_to(name)
        left += places
        left += methods(module, name, read)
        if not attributes <= read:
            read |= attributes
            left += [method for where, one in found for method in methods(where, one, attributes)]
    return found


@cache
def reached_by(op: str) -> set[Place]:
    """What is reached outside the module of an op's own."""
    spec = registry.get(op)
    module = module_of(spec).__name__
    called = {"step"} if isinstance(spec, OptimSpec) else set[str]()
    return {place for place in _reach({(module, name) for name in roots(spec)}, called) if place[0] != module}


@cache
def _shared() -> frozenset[Place]:
    """What ops reach outside the module of their own, and that the mutants of no op are made in."""
    own = {(module_of(spec).__name__, name) for spec in registry.specs().values()
           for name, _ in reached(_source(module_of(spec).__name__).tree, roots(spec))}
    return frozenset(set[Place]().union(*map(reached_by, registry.specs())) - own)


def ops_of(module: str) -> list[str]:
    """The ops that reach something of a shared module."""
    return [op for op in registry.specs() if any(where == _PACKAGE + module for where, _ in reached_by(op))]


def _functions(tree: ast.Module, wanted: set[str]) -> Iterator[tuple[str, ast.stmt]]:
    """Those functions, methods and constants of a module that are wanted, each once, in the order of the source."""
    seen = set[int]()
    for name, statement in at_top(tree).items():
        if isinstance(statement, ast.ClassDef):
            yield from ((f"{name}.{one.name}", one) for one in statement.body
                        if isinstance(one, ast.FunctionDef) and f"{name}.{one.name}" in wanted
                        and one.name not in STORED)
        elif name in wanted and id(statement) not in seen:  # which may make several constants
            seen.add(id(statement))
            yield name, statement


# --- planting ------------------------------------------------------------------------------------

@contextlib.contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    """The mutant of a shared module stands in every op that reaches it, for as long as the context lasts.

    Raises:
        Exception: what a module raises that is run with another constant.
    """
    changes = _changes(mutant)
    old = [(holder, name, getattr(holder, name)) for holder, name, _ in changes]
    for holder, name, new in changes:
        setattr(holder, name, new)
    try:
        yield
    finally:
        for holder, name, before in old:
            setattr(holder, name, before)


_Change = tuple[Any, str, Any]  #: of what, which attribute, and what it becomes


@lru_cache(1)  # of the mutant that case after case is run with
def _changes(mutant: Mutant) -> list[_Change]:
    module = sys.modules[_PACKAGE + mutant.op]
    if _is_constant(module.__name__, mutant.function):
        return _of_constant(mutant, module)
    return [_of_function(mutant, module)]


def _is_constant(module: str, name: str) -> bool:
    return isinstance(_source(module).top.get(name), ast.Assign | ast.AnnAssign)


def _code(mutant: Mutant, module: ModuleType) -> CodeType:
    return compile(mutant.source, str(module.__file__), "exec", dont_inherit=True)


def _of_function(mutant: Mutant, module: ModuleType) -> _Change:
    function = max((one for one in functions_of(module) if one.__qualname__ == mutant.function
                    and one.__code__.co_firstlineno <= mutant.line), key=lambda one: one.__code__.co_firstlineno)
    (code,) = (one for one in codes_in(_code(mutant, module)) if one.co_qualname == mutant.function
               and one.co_firstlineno == function.__code__.co_firstlineno)
    return function, "__code__", code


def codes_in(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from codes_in(constant)


def functions_of(module: ModuleType) -> Iterator[FunctionType]:
    """The functions and methods of a module, without what decorates them."""
    for value in list(vars(module).values()):
        if inspect.isclass(value) and value.__module__ == module.__name__:
            for one in vars(value).values():
                inner = (one.fget, one.fset) if isinstance(one, property) else (getattr(one, "__func__", one),)
                yield from (f for f in map(_unwrapped, inner) if isinstance(f, FunctionType))
        else:
            function = _unwrapped(value)
            if isinstance(function, FunctionType) and function.__module__ == module.__name__:
                yield function


def _unwrapped(value: Any) -> Any:
    return inspect.unwrap(value) if callable(value) else value


def _of_constant(mutant: Mutant, module: ModuleType) -> list[_Change]:
    twin = ModuleType(f"{module.__name__}__mutant")
    twin.__package__, twin.__file__ = module.__package__, module.__file__
    sys.modules[twin.__name__] = twin  # a NamedTuple looks itself up
    try:
        exec(_code(mutant, module), vars(twin))
    finally:
        del sys.modules[twin.__name__]
    return [(holder, name, getattr(twin, constant)) for constant in _following(module.__name__, mutant.function)
            for holder, name in _bound(module.__name__, constant)]


def _following(module: str, constant: str) -> set[str]:
    """The constants that one statement makes, and those of the module that are made of them."""
    source = _source(module)
    found = {name for name, statement in source.top.items() if statement is source.top[constant]}
    while new := {name for name, statement in source.top.items()
                  if _is_constant(module, name) and name not in found and found & set(names_read(statement))}:
        found |= new
    return found


def _bound(module: str, name: str) -> list[tuple[ModuleType, str]]:
    """The modules that know a constant, and its name there."""
    return [(sys.modules[module], name), *((sys.modules[other], local) for other in _loaded()
            for local, place in _source(other).imported.items() if place == (module, name))]


def _loaded() -> list[str]:
    return sorted(name for name in sys.modules if name.startswith(_PACKAGE) and not name.endswith("__mutant"))


def feel(mutant: Mutant) -> set[Place]:
    """The functions of which a case has to call one, or it cannot feel the mutant."""
    module = _PACKAGE + mutant.op
    if not _is_constant(module, mutant.function):
        return {(module, mutant.function)}
    constants = {(module, name) for name in _following(module, mutant.function)}
    return {(where, name) for where in _loaded() for name in _source(where).parts
            if constants & _source(where).leads_to(name)[0]}


# --- what a run calls ----------------------------------------------------------------------------

def called(run: Callable[[], object]) -> frozenset[Place]:
    """The functions of the references that something calls; of one inside another this one."""
    codes = set[CodeType]()

    def trace(frame: Any, event: str, argument: Any) -> None:
        codes.add(frame.f_code)

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        run()
    finally:
        sys.settrace(before)
    return frozenset(filter(None, map(_place_of, codes)))


@cache
def _place_of(code: CodeType) -> Place | None:
    path = Path(code.co_filename)
    if not path.is_relative_to(_HERE):
        return None
    return (".".join([reference.__name__, *path.relative_to(_HERE).with_suffix("").parts]),
            code.co_qualname.partition(".<locals>")[0])


@contextlib.contextmanager
def constants_kept() -> Iterator[None]:
    """Arrays that are constants of the references cannot be written to: a mutant that tries to is wrong at once."""
    arrays = [array for module in _loaded() for array in _arrays(list(vars(sys.modules[module]).values()))
              if array.flags.writeable]
    for array in arrays:
        array.flags.writeable = False
    try:
        yield
    finally:
        for array in arrays:
            array.flags.writeable = True


def _arrays(value: Any) -> Iterator[np.ndarray[Any, Any]]:
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _arrays(one)
