"""Where a model comes from: the SHA-256 of the code and of the files that it was fitted with.

Nothing of it changes from one build to the next: no time, no machine, no folder of somebody's.
"""

from __future__ import annotations

import ast
import hashlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib.util import resolve_name
from pathlib import Path
from types import ModuleType
from typing import Any

from onnxlet.convert.file_hashes import sha256_of
from onnxlet.convert.sources.users_code import is_users_file

Entry = Mapping[str, Any]  # `file`, `sha256`; of several files that are one entry their `files`
Origin = Mapping[str, Sequence[Entry]]  # by `code`, `tables`, `estimator`, `held_out`
# What rows are read from, whatever packs it. Other files that a program opens, such as caches,
# fonts and the system's, differ from one machine to the next.
ROWS = {
    ".arff", ".arrow", ".csv", ".data", ".feather", ".json", ".jsonl", ".ndjson", ".npy", ".npz",
    ".ods", ".parquet", ".pq", ".tsv", ".txt", ".xls", ".xlsm", ".xlsx",
}  # fmt: skip
_watched: list[dict[str, bool]] = []  # by path, whether it was written; one for each that watches


@contextmanager
def rows_read() -> Iterator[list[Path]]:
    """The files with rows that Python opens for reading while the context lasts; filled at its end.

    Not those that were written meanwhile, nor what installed packages bring; and not what libraries
    open by code that is not Python's, such as Arrow's own reader.
    """
    _hook()
    opened, found, here = dict[str, bool](), list[Path](), Path.cwd()
    _watched.append(opened)
    try:
        yield found
    finally:
        _watched.remove(opened)
        read = [Path(path) for path, written in list(opened.items()) if not written]
        found += sorted(each for each in read if each.is_file() and _is_users_rows(each, here))


@cache
def _hook() -> None:
    """Once for all: nothing takes a hook away again, so that it does nothing where none watches."""
    sys.addaudithook(_watch)


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "open" or not _watched:
        return
    path, mode, flags = arguments
    if not isinstance(path, str | bytes | os.PathLike):  # a descriptor
        return
    try:
        whole = os.fsdecode(os.path.abspath(path))  # noqa: PTH100 - slower otherwise, for each file
    except OSError:  # the working directory is gone: what a hook raises, the opening would
        return
    writes = bool(set("wax+") & set(mode or "")) or bool(flags & (os.O_WRONLY | os.O_RDWR))
    for each in _watched:
        each[whole] = each.get(whole, False) or writes


def _is_users_rows(path: Path, here: Path) -> bool:
    hidden = any(part.startswith(".") for part in {*path.parts} - {*here.parts})  # of a cache
    return bool(ROWS.intersection(path.suffixes)) and not hidden and is_users_file(path)


def origin_of_code(module: ModuleType, read: Iterable[Path]) -> Origin:
    """Of a function: the files of its module, and those with rows that were read for it.

    They are named from the module's folder on.
    """
    folder = Path(module.__file__ or "").parent
    found = {"code": entries(code_of(module), folder), "tables": entries(read, folder)}
    return {what: files for what, files in found.items() if files}


def code_of(module: ModuleType) -> list[Path]:
    """The files of a module and of all that it imports of the user's own, or of its own package."""
    top, own = module.__name__.partition(".")[0], _is_users(module)
    found, wanted = dict[str, Path](), [module.__name__]
    while wanted:
        name = wanted.pop()
        each = sys.modules.get(name)
        file = getattr(each, "__file__", None) or ""
        if each is None or name in found or not file.endswith(".py"):
            continue
        if each is not module and not _is_users(each) and (own or name.partition(".")[0] != top):
            continue
        found[name] = Path(file)
        wanted += _imported(Path(file), each.__package__ or "")
    return sorted(set(found.values()))


def _is_users(module: ModuleType) -> bool:
    return is_users_file(Path(module.__file__ or ""))


def _imported(file: Path, package: str) -> Iterator[str]:
    """The dotted names that a file's imports may be of, with those of the packages around them."""
    try:
        parsed = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):  # in an archive, or altered meanwhile
        return
    for node in ast.walk(parsed):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                with suppress(ImportError):
                    base = resolve_name("." * node.level + base, package)
            names = [base, *(f"{base}.{each.name}" for each in node.names)]
        for name in names:
            parts = name.split(".")
            yield from (".".join(parts[:end]) for end in range(1, len(parts) + 1))


def entries(files: Iterable[Path], folder: Path | None = None) -> list[Entry]:
    """Each file with its hash: named from a folder on, where it lies below that, else by its name.

    What is gone meanwhile is left out.
    """
    made = list[Entry]()
    for file in files:
        with suppress(OSError):
            made.append({"file": _named(file, folder), "sha256": sha256_of(file)})
    return sorted(made, key=lambda each: (each["file"], each["sha256"]))


def _named(file: Path, folder: Path | None) -> str:
    whole, root = file.resolve(), folder and folder.resolve()
    if root is None or not whole.is_relative_to(root):
        return whole.name
    return whole.relative_to(root).as_posix()


def folder_entry(folder: Path, files: Iterable[Path]) -> list[Entry]:
    """Many files of a folder as one entry: the hash of their list, as `sha256sum` writes one."""
    named = sorted((os.fsencode(file.relative_to(folder)), file) for file in files)
    lines = [b"%s  %s\n" % (sha256_of(file).encode(), name) for name, file in named]
    whole = hashlib.sha256(b"".join(lines)).hexdigest()
    return [{"file": folder.resolve().name, "files": len(lines), "sha256": whole}]
