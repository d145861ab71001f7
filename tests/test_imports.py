"""Importing: what it loads, and that it goes one way."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = ["networkx", "matplotlib", "graphviz", "typer", "rich", "tqdm", "safetensors", "viz"]

# Each layer may import the layers before it, and modules of its own.
LAYERS = [
    ["errors", "defaults", "kernels", "definition", "description", "memory", "table"],
    ["graph"],
    ["context", "hooks"],
    ["op"],
    ["backward"],
    ["scalar", "tensor"],
    ["ops", "trace", "anomaly", "functions", "interchange", "replay", "tracefile", "zoom"],
    ["nn"],
    ["models"],
]


def test_importing_loads_numpy_and_the_standard_library_only():
    code = (
        "import sys, numpy.random; before = set(sys.modules); import tinygrad_cnn\n"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(run.stdout.split())
    assert not loaded & set(HEAVY)
    assert loaded - sys.stdlib_module_names - {"numpy"} == {"tinygrad_cnn"}


def imports(file: Path, top_level: bool = False) -> set[str]:
    """Absolute dotted names of the modules that a file imports.

    With `top_level`, only those loaded with the file: not in functions, nor for type checking.
    """
    package = file.relative_to(ROOT).with_suffix("").parts[:-1]
    found = set()
    tree = ast.parse(file.read_text())
    for node in _module_statements(tree) if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def _module_statements(tree: ast.AST) -> list[ast.AST]:
    found = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        found += [node, *_module_statements(node)]
    return found


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def layer_of(dotted: str) -> int | None:
    """The layer of a module of tinygrad_cnn, by its dotted name; None if it is in none."""
    parts = dotted.split(".")
    if parts[0] != "tinygrad_cnn" or len(parts) < 2:
        return None
    return next((i for i, names in enumerate(LAYERS) if parts[1] in names), None)


@pytest.mark.parametrize("file", files("tinygrad_cnn"), ids=lambda f: str(f.relative_to(ROOT)))
def test_a_layer_imports_only_what_lies_below_it(file):
    own = layer_of(".".join(file.relative_to(ROOT).with_suffix("").parts))
    if own is None:
        return
    above = {
        name
        for name in imports(file, top_level=True)
        if name.startswith("tinygrad_cnn.") and ((found := layer_of(name)) is None or found > own)
    }
    assert not above


@pytest.mark.parametrize("file", files("tinygrad_cnn"), ids=lambda f: str(f.relative_to(ROOT)))
def test_the_engine_never_imports_its_pictures(file):
    """But for the command line, which draws."""
    above = {"viz", "tutorials"}
    if file.name != "cli.py":
        assert not above & {name.partition(".")[0] for name in imports(file)}


@pytest.mark.parametrize("file", files("tinygrad_cnn/kernels"), ids=lambda f: f.name)
def test_kernels_know_arrays_only(file):
    outside = {
        name
        for name in imports(file)
        if not name.startswith("tinygrad_cnn.kernels")
        and name.partition(".")[0] not in {"numpy", "threadpoolctl", *sys.stdlib_module_names}
    }
    assert not outside


def test_pictures_never_import_tutorials():
    assert not {
        name for file in files("viz") for name in imports(file) if name.startswith("tutorials")
    }
