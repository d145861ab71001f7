"""Imports: what is loaded, that rooms import in one direction only, and what is public."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import networkx
import pytest

import tinygrad_cnn as tg
import viz

ROOT = Path(__file__).parent.parent
HEAVY = ["networkx", "matplotlib", "graphviz", "typer", "rich", "tqdm", "safetensors", "viz"]
MOST_FILES = {"tinygrad_cnn": 6, "viz": 4}  # at the root, beside its rooms


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def name_of(file: Path) -> str:
    """A file's dotted name as a module."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


OURS = {name_of(file): file for package in MOST_FILES for file in files(package)}


def imports(file: Path, *, inside_functions: bool) -> set[str]:
    """The modules of this project, and the packages of others, that a file imports.

    Those in its functions, or all others; never those for type checking.
    """
    found = set()
    package = file.relative_to(ROOT).parent.parts
    for node in _statements(ast.parse(file.read_text()), inside_functions):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            names = (f"{module}.{alias.name}" for alias in node.names)
            found |= {name if name in OURS else module for name in names}
    return found


def _statements(tree: ast.AST, inside_functions: bool, inside: bool = False) -> list[ast.AST]:
    found = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if inside == inside_functions:
            found.append(node)
        function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        found += _statements(node, inside_functions, inside or function)
    return found


@cache
def rooms() -> dict[str, int]:
    """For each room the number of its line in ARCHITECTURE.md's table."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    table = re.search(r"^## One way\n.*?^```\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert table, "ARCHITECTURE.md has no table under 'One way'"
    lines = [line.partition("#")[0].split() for line in table[1].splitlines()]
    return {room: height for height, line in enumerate(lines) for room in line}


def room_of(module: str) -> str:
    """The longest name in the table that a module's dotted name begins with."""
    inside = [room for room in rooms() if f"{module}.".startswith(f"{room}.")]
    assert inside, f"{module} is in no room of ARCHITECTURE.md's table"
    return max(inside, key=len)


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


@pytest.mark.parametrize("module", OURS)
def test_a_room_imports_only_rooms_that_stand_before_it(module):
    own = room_of(module)
    for name in imports(OURS[module], inside_functions=False) & OURS.keys():
        room = room_of(name)
        assert room == own or rooms()[room] < rooms()[own], f"{module} imports {name}"


def test_imports_make_no_circle():
    graph = networkx.DiGraph()
    for module, file in OURS.items():
        for name in imports(file, inside_functions=False) & OURS.keys():
            graph.add_edge(module, name)
    circles = [sorted(c) for c in networkx.strongly_connected_components(graph) if len(c) > 1]
    assert not circles
    assert not list(networkx.selfloop_edges(graph))


def test_only_commands_and_the_plugin_import_parts_of_the_project_when_they_run():
    found = {
        module
        for module, file in OURS.items()
        if any(name in OURS for name in imports(file, inside_functions=True))
    }
    found.remove("tinygrad_cnn.gradcheck.pytest")
    assert {module.rpartition(".")[0] for module in found} == {"tinygrad_cnn.cli"}


@pytest.mark.parametrize("file", files("tinygrad_cnn/kernels"), ids=lambda f: f.name)
def test_kernels_know_arrays_only(file):
    allowed = {"numpy", "threadpoolctl", *sys.stdlib_module_names}
    used = imports(file, inside_functions=False) | imports(file, inside_functions=True)
    outside = {name for name in used if name.partition(".")[0] not in allowed}
    assert all(name.startswith("tinygrad_cnn.kernels") for name in outside)


@pytest.mark.parametrize("package", MOST_FILES)
def test_the_rooms_can_be_seen_at_once(package):
    there = [path for path in (ROOT / package).iterdir() if path.is_file()]
    assert len(there) <= MOST_FILES[package]


@pytest.mark.parametrize("package", [tg, viz], ids=lambda package: package.__name__)
def test_dir_lists_the_public_names_alone(package):
    assert dir(package) == sorted(set(package.__all__))
    assert all(hasattr(package, name) for name in dir(package))
    assert not any(name.startswith("_") for name in dir(package))


@pytest.mark.parametrize("folder", ["exercises", "checkpoint"])
def test_what_moved_is_found_where_it_was(folder):
    there = __import__(f"tinygrad_cnn.{folder}", fromlist=["*"])
    assert all(hasattr(there, name) for name in there.__all__)
