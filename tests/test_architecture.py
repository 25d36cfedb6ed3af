"""What the layout promises: imports point one way, nothing heavy is imported unasked, no name hides another."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import oracle
import reference
from oracle.cases import registry
from oracle.cases.spec import InitSpec, LossSpec, OptimSpec, Spec

ROOT = Path(__file__).parent.parent

#: What each layer of the oracle may import of the oracle. A module that is not here is a view or a target.
LAYERS = {
    "orders": set(), "ball": {"orders"}, "ulp": {"ball"}, "sweeps": {"ulp"}, "store": set(), "sources": set(),
    "packing": {"truth"},
    "cases": {"ball", "sources", "store", "sweeps", "ulp"}, "evaluate": {"cases", "ulp"},
    "dialects": {"claims"}, "waivers": {"dialects"}, "chance": set(), "claims": set(), "laws": {"claims"},
    "haar": {"chance"}, "distribution": {"cases", "chance", "claims", "evaluate", "haar", "laws"},
    "faults": {"compare", "records"},
    "truth": {"ball", "cases", "evaluate", "ulp"}, "compare": {"ball", "evaluate", "truth", "ulp"},
    "targets": {"cases", "evaluate"},
    "diagnosis": {"ball", "cases", "compare", "dialects", "distribution", "evaluate", "records", "run", "specials",
                  "truth"},
    "specials": {"cases", "compare", "run", "truth"},
    "plain": set(), "arguments": set(), "records": {"cases", "compare", "plain", "store", "targets"},
    "recall": {"cases", "compare", "store"}, "workers": set(),
    "run": {"cases", "compare", "dialects", "evaluate", "faults", "packing", "recall", "records", "sources", "store",
            "targets", "truth", "waivers", "workers"},
    "journal": {"cases", "records", "targets"}, "executors": set(),
    "vectors": {"ball", "cases", "compare", "faults", "records", "run", "truth"},
    "processes": set(), "crossing": {"ulp"}, "serving": {"cases", "crossing", "processes", "targets"},
    "isolation": {"cases", "crossing", "evaluate", "plain", "processes", "serving", "targets"},
    "mutation": set(), "shared": {"mutation"},
    "equivalents": {"mutation", "shared"},
    "proving": {"cases", "checking", "dialects", "equivalents", "evaluate", "mutation", "records", "run", "shared",
                "truth", "waivers", "workers"},
}

#: The files that may import a framework.
FRAMEWORKS = {"torch": {"oracle.targets.pytorch", "oracle.checking.adapter_torch"},
              "jax": {"oracle.targets.optax_jax", "oracle.targets.optax_losses", "oracle.checking.adapter_jax"},
              "optax": {"oracle.targets.optax_jax", "oracle.targets.optax_losses"},
              "keras": {"oracle.targets.keras3", "oracle.targets.keras_init", "oracle.targets.keras_losses"}}


def _imports(path: Path, package: str) -> set[str]:
    """Dotted names of the modules that a file imports, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[:len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return found


def _files(package: ModuleType) -> dict[str, Path]:
    root = Path(package.__path__[0])
    return {".".join([package.__name__, *path.relative_to(root).with_suffix("").parts]): path
            for path in root.rglob("*.py")}


def test_the_reference_knows_neither_the_oracle_nor_a_framework() -> None:
    allowed = {"numpy", "reference"} | sys.stdlib_module_names
    for name, path in _files(reference).items():
        strangers = {i for i in _imports(path, name.rpartition(".")[0]) if i.split(".")[0] not in allowed}
        assert not strangers, f"{name} imports {strangers}"


@pytest.mark.parametrize("layer", sorted(LAYERS))
def test_a_layer_imports_only_those_below_it(layer: str) -> None:
    name = f"oracle.{layer}"
    module = ROOT / "oracle" / f"{layer}.py"
    folder = ROOT / "oracle" / layer
    # Of targets the protocol alone: each imports its framework, and what it needs of the oracle.
    paths = [module] if module.exists() else sorted(folder.glob("__init__.py" if layer == "targets" else "*.py"))
    package = "oracle" if module.exists() else name
    own = {i.split(".")[1] for path in paths for i in _imports(path, package) if i.startswith("oracle.")} - {layer}
    assert own & set(_names("oracle")) <= LAYERS[layer]


def _names(package: str) -> list[str]:
    return [m.name for m in pkgutil.iter_modules(importlib.import_module(package).__path__)]


def test_only_one_file_imports_flint_and_only_its_target_a_framework() -> None:
    for name, path in _files(oracle).items():
        roots = {i.split(".")[0] for i in _imports(path, name.rpartition(".")[0])}
        assert "flint" not in roots or name == "oracle.truth.ball"
        for framework, files in FRAMEWORKS.items():
            assert framework not in roots or name in files


@pytest.mark.parametrize("statement", [
    "import reference", "import reference.losses, reference.optim, reference.init", "import oracle",
    "import oracle.cli.app", "import oracle.checking.check, oracle.checking.conformance", "import oracle.pytest_plugin"])
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


def test_a_public_file_without_a_spec_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    registry.specs.cache_clear()
    monkeypatch.delattr("oracle.cases.ops.losses.mse.SPEC")
    with pytest.raises(TypeError, match=r"reference\.losses\.mse is public and has no SPEC"):
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
