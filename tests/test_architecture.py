"""What the layout promises: imports point one way, nothing heavy is imported unasked, no name hides another."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from oracle.cases import registry
from oracle.cases.spec import InitSpec, LossSpec, OptimSpec, Spec

ROOT = Path(__file__).parent.parent

#: The house from the ground up: a room imports from those in lines above it, and from itself. Its files are in no order
#: but must not import each other in a circle.
FLOORS = (
    "formats", "ulp", "keeping", "cases", "truth", "dialects", "verdict", "targets", "auditing", "checking", "sound",
    "watching", "proving", "vectors", "report", "cli", "pytest_plugin",
)

#: The files that may import a framework.
FRAMEWORKS = {
    "flint": {"oracle.truth.single"},
    "torch": {"oracle.targets.pytorch", "oracle.targets.pytorch_calls", "oracle.checking.kit_torch",
              "oracle.watching.tensors"},
    "jax": {"oracle.targets.optax_jax", "oracle.targets.optax_losses", "oracle.checking.kit_jax",
            "oracle.watching.trees"},
    "optax": {"oracle.targets.optax_jax", "oracle.targets.optax_losses", "oracle.watching.trees"},
    "keras": {"oracle.targets.keras3", "oracle.targets.keras_init", "oracle.targets.keras_losses"},
}

Imports = Mapping[str, frozenset[str]]


def _modules(root: Path, package: str) -> dict[str, Path]:
    """Each module of a package by its dotted name; a package by its own."""
    return {".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
            for path in sorted((root / package).rglob("*.py"))}


def _imports(root: Path, package: str) -> Imports:
    """What each module imports, wherever in the file: dotted names of modules, of this package where they are in it."""
    modules = _modules(root, package)
    return {name: frozenset(_imported(name, path, modules)) for name, path in modules.items()}


def _imported(name: str, path: Path, modules: Mapping[str, Path]) -> Iterator[str]:
    own = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = own.split(".")[:len(own.split(".")) - node.level + 1] if node.level else []
            origin = ".".join([*base, *filter(None, [node.module])])
            for alias in node.names:
                inner = f"{origin}.{alias.name}"
                yield inner if inner in modules else origin


def _room(module: str) -> str:
    """The room of a module of the oracle: of the package itself and of ``__main__``, which are above all, none."""
    inside = module.split(".")[1:]
    return inside[0] if inside and inside[0] in FLOORS else ""


def _uphill(imports: Imports) -> list[str]:
    """Each import that does not point down, with the rule that it breaks."""
    found = []
    for module, others in imports.items():
        for other in sorted(others):
            here, there = _room(module), _room(other)
            if not (here and there) or here == there or FLOORS.index(there) < FLOORS.index(here):
                continue
            found.append(f"{module} imports {other}: {here} is below {there}, and a room imports from those below it")
    return found


def _circles(imports: Imports) -> list[str]:
    """Each circle of modules that import one another, once."""
    found: dict[frozenset[str], str] = {}
    done: set[str] = set()

    def follow(module: str, way: tuple[str, ...]) -> None:
        if module in way:
            circle = way[way.index(module):]
            found.setdefault(frozenset(circle), " -> ".join((*circle, module)) + ": modules import one way")
        elif module not in done:
            for other in sorted(imports[module] & imports.keys() - {module}):
                follow(other, (*way, module))
            done.add(module)

    for module in imports:
        follow(module, ())
    return list(found.values())


def test_imports_point_down() -> None:
    assert _uphill(_imports(ROOT, "oracle")) == []


@pytest.mark.parametrize("package", ["reference", "oracle"])
def test_no_modules_import_one_another(package: str) -> None:
    assert _circles(_imports(ROOT, package)) == []


def test_an_import_that_goes_up_is_named_with_the_rule(tmp_path: Path) -> None:
    for room, text in {"truth": "from ..auditing.run import audit", "auditing": "from ..truth import proof"}.items():
        (tmp_path / "oracle" / room).mkdir(parents=True)
        (tmp_path / "oracle" / room / "run.py").write_text(text)
    (up,) = _uphill(_imports(tmp_path, "oracle"))
    assert up == ("oracle.truth.run imports oracle.auditing.run: truth is below auditing, and a room imports from "
                  "those below it")


def test_a_circle_is_named_with_the_way_round(tmp_path: Path) -> None:
    for name, text in {"a": "from .b import x", "b": "def f():\n    from . import c", "c": "import oracle.truth.a",
                       "d": "from .a import y"}.items():
        (tmp_path / "oracle" / "truth").mkdir(parents=True, exist_ok=True)
        (tmp_path / "oracle" / "truth" / f"{name}.py").write_text(text)
    (circle,) = _circles(_imports(tmp_path, "oracle"))
    assert circle == "oracle.truth.a -> oracle.truth.b -> oracle.truth.c -> oracle.truth.a: modules import one way"


def test_the_rooms_are_those_of_the_table() -> None:
    """What lies in the package's root: rooms, and five files."""
    here = {path.stem for path in (ROOT / "oracle").iterdir()
            if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert here == {*FLOORS, "__init__", "__main__"}
    files = {path.name for path in (ROOT / "oracle").glob("*.py")}
    assert files == {"__init__.py", "__main__.py", "formats.py", "ulp.py", "pytest_plugin.py"}


@pytest.mark.parametrize("package", ["reference", "oracle", "benchmarks"])
def test_no_file_is_too_long_to_read_at_once(package: str) -> None:
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines())
               for name, path in _modules(ROOT, package).items()}
    assert {name: n for name, n in lengths.items() if n > 400} == {}


def test_a_package_says_what_it_is_for() -> None:
    for name, path in _modules(ROOT, "oracle").items():
        if path.name == "__init__.py":
            assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), f"{name} says nothing of itself"


def test_the_reference_knows_neither_the_oracle_nor_a_framework() -> None:
    allowed = {"numpy", "reference"} | sys.stdlib_module_names
    for name, imported in _imports(ROOT, "reference").items():
        strangers = {other for other in imported if other.split(".")[0] not in allowed}
        assert not strangers, f"{name} imports {strangers}"


def test_a_framework_is_imported_by_its_own_files_alone() -> None:
    for name, imported in _imports(ROOT, "oracle").items():
        for framework in {other.split(".")[0] for other in imported} & FRAMEWORKS.keys():
            assert name in FRAMEWORKS[framework], f"{name} imports {framework}"


@pytest.mark.parametrize("statement", [
    "import reference", "import reference.losses, reference.optim, reference.init", "import oracle",
    "import oracle.cli.app", "import oracle.checking.check, oracle.checking.conformance",
    "import oracle.pytest_plugin"])
def test_an_import_brings_in_no_framework(statement: str) -> None:
    heavy = ["torch", "flint"] if "reference" in statement else [
        "torch", "jax", "keras", "flint", "ml_dtypes", "rich.progress"]
    if statement.endswith(("plugin", "import oracle")):
        heavy.append("numpy")
    if "checking" in statement:
        heavy = ["torch", "jax", "keras"]
    code = f"{statement}\nimport sys\nprint(*[m for m in {heavy!r} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"


@pytest.mark.parametrize("package", ["losses", "optim", "init"])
def test_the_explicit_imports_are_those_of_the_registry(package: str) -> None:
    module = importlib.import_module(f"reference.{package}")
    wanted = {"optim": {"Parameter", "Optimizer", "SparseGrad"},
              "init": {"calculate_fan_in_and_fan_out", "calculate_gain"}}.get(package, set())
    for spec in registry.specs().values():
        if spec.implementation.__module__.startswith(f"reference.{package}."):
            wanted |= {spec.name}
            if isinstance(spec, LossSpec):
                wanted |= {spec.module, f"{spec.name}_backward", *spec.older_modules}
            if isinstance(spec, InitSpec):
                wanted |= {name.rpartition(".")[2] for name in spec.torch_names}
    assert set(module.__all__) == wanted
    for name in wanted:
        assert not inspect.ismodule(getattr(module, name))
    hidden = {m for m in _names(f"reference.{package}") if not inspect.ismodule(getattr(module, m, module))}
    assert not hidden, f"a function hides its module: {hidden}"


def _names(package: str) -> list[str]:
    """The modules of a package, without the packages in it."""
    return [m.name for m in pkgutil.iter_modules(importlib.import_module(package).__path__) if not m.ispkg]


def test_each_op_has_a_formula_and_a_spec_of_the_same_stem() -> None:
    for package in ("losses", "optim", "init"):
        formulas, specs = ({name for name in _names(where) if not name.startswith("_")}
                           for where in (f"reference.{package}", f"oracle.cases.ops.{package}"))
        assert formulas == specs


def test_a_public_file_without_a_spec_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    registry.specs.cache_clear()
    monkeypatch.delattr("oracle.cases.ops.losses.mse.SPEC")
    with pytest.raises(TypeError, match=r"oracle\.cases\.ops\.losses\.mse is public and has no SPEC"):
        registry.specs()
    monkeypatch.undo()
    registry.specs.cache_clear()


def test_an_unknown_op_is_named_with_what_there_is() -> None:
    with pytest.raises(KeyError, match=r"no op is called 'Adm'; there are .*Adam"):
        registry.get("Adm")


def test_specs_are_sorted_and_read_only() -> None:
    specs = registry.specs()
    kinds = [LossSpec, OptimSpec, InitSpec]
    keys = [(kinds.index(type(spec)), name.lower()) for name, spec in specs.items()]  # type: ignore[arg-type]
    assert keys == sorted(keys)
    with pytest.raises(TypeError):
        specs["Adam"] = specs["SGD"]  # type: ignore[index]


def test_axis_values_can_stand_in_a_case_id(oracle_spec: Spec) -> None:
    for axis in oracle_spec.axes:
        labels = [str(value) for value in axis.values]
        assert len(set(labels)) == len(labels)
        assert not any(set(label) & set("/,#*?[]'\" \n") for label in labels)
