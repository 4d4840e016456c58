"""Which of this project's modules import which, read from their source; and the circles in that."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cache
from pathlib import Path

FOLDERS = ("function", "convert", "edge")
PACKAGE = "onnxlet"  # which they are linked into
Graph = Mapping[str, set[str]]  # by importer, what it imports
STATEMENTS = (ast.stmt, ast.excepthandler, ast.match_case)  # in no other node is an import


def modules(root: Path) -> dict[str, Path]:
    """The files of the three folders and of `onnxlet`, by the name that they are imported by."""
    files = [file for folder in FOLDERS for file in (root / folder).rglob("*.py")]
    found = {}
    for path in sorted([*files, *(root / PACKAGE).glob("*.py")]):
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts if parts[0] == PACKAGE else (PACKAGE, *parts))
        found[name.removesuffix(".__init__")] = path
    return found


def imported(path: Path, types: bool = True) -> tuple[str, ...]:
    """Dotted names that a file imports, lazily too; those that only types need where `types`.

    Of `from a import b` both `a.b` and `a`: b may be a module.
    """
    return tuple(name for names in _imports(path, types) for name in names)


def _imports(path: Path, types: bool) -> list[tuple[str, ...]]:
    """What each import may be of, the longest name first."""
    return [names for names, for_types in _all_imports(path.read_text()) if types or not for_types]


@cache
def _all_imports(source: str) -> list[tuple[tuple[str, ...], bool]]:
    """The same, and whether only types need it."""
    found: list[tuple[tuple[str, ...], bool]] = []
    nodes: list[tuple[ast.AST, bool]] = [(ast.parse(source), False)]
    while nodes:
        node, for_types = nodes.pop()
        if isinstance(node, ast.Import):
            found += [((alias.name,), for_types) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found += [((f"{node.module}.{a.name}", node.module), for_types) for a in node.names]
        checked = node.body if isinstance(node, ast.If) and _is_of_types(node.test) else []
        below = (each for each in ast.iter_child_nodes(node) if isinstance(each, STATEMENTS))
        nodes += [(each, for_types or each in checked) for each in below]
    return found


def _is_of_types(test: ast.expr) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def between_files(root: Path, types: bool = True) -> dict[str, set[str]]:
    """The imports of this project's own modules; a package counts where it is all that is meant."""
    known = modules(root)
    graph = {}
    for name, path in known.items():
        found = (
            next((each for each in names if each in known), name) for names in _imports(path, types)
        )
        graph[name] = {*found} - {name}
    return graph


def room(name: str, path: Path, root: Path) -> str:
    """The folder that a module is in; modules right below one of the three are themselves."""
    folders = path.relative_to(root).parent.parts
    return ".".join(("onnxlet", *folders)) if len(folders) > 1 else name


def between_rooms(root: Path) -> dict[str, set[str]]:
    """The same imports between folders, without those that only types need.

    Of a package and of what is below it only the latter counts.
    """
    known = modules(root)
    graph: dict[str, set[str]] = {}
    for name, found in between_files(root, types=False).items():
        here = room(name, known[name], root)
        meant = {each for each in found if not any(o.startswith(f"{each}.") for o in found)}
        there = {room(each, known[each], root) for each in meant}
        graph.setdefault(here, set()).update(there - {here})
    return graph


def circles(graph: Graph) -> set[frozenset[str]]:
    """Groups of modules each of which reaches the others; empty where there is no circle."""
    reached = {name: _reached(graph, name) for name in graph}
    groups = (frozenset(o for o in found if name in reached[o]) for name, found in reached.items())
    return {group for group in groups if group}


def _reached(graph: Graph, start: str) -> set[str]:
    found: set[str] = set()
    new = graph[start]
    while new:
        found |= new
        new = {each for name in new for each in graph[name]} - found
    return found
