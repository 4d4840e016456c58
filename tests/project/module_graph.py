"""Which of this project's modules import which, read from their source; and the circles in that."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cache
from pathlib import Path

FOLDERS = ("function", "convert", "edge")
PACKAGE = "onnxlet"  # which they are linked into
Graph = Mapping[str, set[str]]  # by importer, what it imports


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
    return tuple(name for names in _imports(path.read_text(), types) for name in names)


@cache
def _imports(source: str, types: bool) -> tuple[tuple[str, ...], ...]:
    """What each import may be of, the longest name first."""
    found: list[tuple[str, ...]] = []
    nodes: list[list[ast.AST]] = [[ast.parse(source)]]
    while nodes:
        for node in nodes.pop():
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not types:
                nodes.append(list(node.orelse))
                continue
            if isinstance(node, ast.Import):
                found += [(alias.name,) for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                found += [(f"{node.module}.{a.name}", node.module) for a in node.names]
            nodes.append(list(ast.iter_child_nodes(node)))
    return tuple(found)


def between_files(root: Path, types: bool = True) -> dict[str, set[str]]:
    """The imports of this project's own modules; a package counts where it is all that is meant."""
    known = modules(root)
    graph = {}
    for name, path in known.items():
        found = (
            next((each for each in names if each in known), name)
            for names in _imports(path.read_text(), types)
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
