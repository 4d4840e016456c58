"""Which of this project's modules import which, read from their source; and the circles in that."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

FOLDERS = ("function", "convert", "edge")
Graph = Mapping[str, set[str]]  # by importer, what it imports


def modules(root: Path) -> dict[str, Path]:
    """The files of the three folders, by the name that they are imported by."""
    found = {}
    for path in sorted(file for folder in FOLDERS for file in (root / folder).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(("onnxlet", *parts)).removesuffix(".__init__")] = path
    return found


def imported(path: Path) -> tuple[str, ...]:
    """Dotted names that a file imports, lazily too; those that only types need are left out.

    Of `from a import b` both `a` and `a.b`: b may be a module.
    """
    return _imported(path.read_text())


@cache
def _imported(source: str) -> tuple[str, ...]:
    found: list[str] = []
    nodes: list[list[ast.AST]] = [[ast.parse(source)]]
    while nodes:
        for node in nodes.pop():
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                nodes.append(list(node.orelse))
                continue
            if isinstance(node, ast.Import):
                found += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            nodes.append(list(ast.iter_child_nodes(node)))
    return tuple(found)


def between_files(root: Path) -> dict[str, set[str]]:
    """The imports of this project's own modules; a package counts where it is all that is meant."""
    known = modules(root)
    graph = {}
    for name, path in known.items():
        found = {each for each in imported(path) if each in known}
        meant = {each for each in found if not any(o.startswith(f"{each}.") for o in found)}
        graph[name] = meant - {name}
    return graph


def room(name: str, path: Path, root: Path) -> str:
    """The folder that a module is in; modules right below one of the three are themselves."""
    folders = path.relative_to(root).parent.parts
    return ".".join(("onnxlet", *folders)) if len(folders) > 1 else name


def between_rooms(root: Path) -> dict[str, set[str]]:
    """The same imports between folders."""
    known = modules(root)
    graph: dict[str, set[str]] = {}
    for name, found in between_files(root).items():
        here = room(name, known[name], root)
        there = {room(each, known[each], root) for each in found}
        graph.setdefault(here, set()).update(there - {here})
    return graph


def circle(graph: Graph) -> list[str]:
    """One circle of a graph, its first member again at its end; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])[::-1]
    return []
