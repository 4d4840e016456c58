"""Hostile .skops files, and a child process that watches what reading one does."""

from __future__ import annotations

import gc
import importlib
import io
import json
import os
import pkgutil
import sys
import traceback
import warnings
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from onnxlet.convert.errors import SourceFailed
from onnxlet.convert.sources.saved import load_saved
from onnxlet.convert.sources.skops_file import judged

Node = dict[str, Any]

# What reading a file has no business with.
WATCHED = (*("ctypes.dlopen", "exec", "open", "os.", "pty.", "shutil.", "socket.", "subprocess."),)
OWN = (sys.prefix, sys.base_prefix, *filter(None, sys.path))
HARMLESS = frozenset({"os.listdir", "os.scandir", "os.putenv", "os.unsetenv"})
PACKAGES = (
    "builtins",
    "catboost",
    "collections",
    "imblearn",
    "lightgbm",
    "numpy",
    "scipy",
    "sklearn",
    "xgboost",
)


def node(loader: str, where: str, **more: Any) -> Node:
    module, _, name = where.rpartition(".")
    return {"__loader__": loader, "__module__": module, "__class__": name, **more}


def plain(value: Any) -> Node:
    return node("JsonNode", "builtins.str", content=json.dumps(value))


def listed(nodes: Iterable[Node], where: str = "builtins.list") -> Node:
    return node("ListNode", where, content=list(nodes))


def tupled(nodes: Iterable[Node], where: str = "builtins.tuple") -> Node:
    return node("TupleNode", where, content=list(nodes))


def mapped(**content: Node) -> Node:
    types = listed(node("TypeNode", "builtins.str") for _ in content)
    return node("DictNode", "builtins.dict", content=content, key_types=types)


def transformer(func: Node, **more: Node) -> Node:
    """A FunctionTransformer that calls it."""
    nothing = plain(None)
    state = {"func": func, "inverse_func": nothing, "kw_args": nothing, "inv_kw_args": nothing}
    flags = {name: plain(False) for name in ("validate", "accept_sparse", "check_inverse")}
    where = "sklearn.preprocessing._function_transformer.FunctionTransformer"
    names = {"feature_names_out": nothing}
    return node("ObjectNode", where, content=mapped(**state, **flags, **names, **more))


def written(path: Path, schema: Node, files: Mapping[str, bytes] = {}, protocol: int = 2) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        archive.writestr("schema.json", json.dumps({**schema, "protocol": protocol}))
    return path


# one node of every kind, with a class of one's choice


def _attributes(bait: str) -> Node:
    """What classes that do something when they are made or collected look for."""
    texts = ("_destpath", "_path", "filename", "name", "file", "_handle")
    flags = ("_istmpdest", "_delete", "delete", "_network", "own_fid", "_DictWithDeprecatedKeys")
    state = {name: plain(bait) for name in texts} | {name: plain(True) for name in flags}
    return mapped(**state, _parse_arg_template=plain("import os"))


def kinds(where: str, bait: str) -> Iterator[tuple[str, Node]]:
    """Nodes of every kind that skops knows, whose class is `where`; by what they are."""
    text, nothing = plain(bait), mapped()
    called = node("FunctionNode", where)
    typed = node("TypeNode", where)
    yield "bare object", node("ObjectNode", where)
    yield "object", node("ObjectNode", where, content=_attributes(bait))
    yield "object of a tuple", node("ObjectNode", where, content=tupled([text]))
    yield "type", typed
    yield "function", called
    yield "reduced", node("ConstructorFromReduceNode", where, content=tupled([text]))
    yield "reduced to nothing", node("ConstructorFromReduceNode", where, content=tupled([]))
    for loader in ("LossNode", "TreeNode"):
        args = {"args": tupled([text])}
        yield loader, node(loader, where, content=nothing, __reduce__=args)
    yield "list", listed([text], where)
    yield "set", node("SetNode", where, content=[text])
    yield "tuple", tupled([text], where)
    yield "dict", node("DictNode", where, content=nothing["content"], key_types=listed([]))
    for what, key in (("keys", typed), ("called keys", called)):
        keys = listed([key])
        yield what, node("DictNode", "builtins.dict", content={bait: text}, key_types=keys)
    factory = {"main": nothing, "default_factory": typed}
    yield "default", node("DefaultDictNode", "collections.defaultdict", content=factory)
    yield "array", node("NdArrayNode", where, type="numpy", file="text.npy")
    yield (
        "objects",
        node("NdArrayNode", where, type="json", content=[text], shape=tupled([plain(1)])),
    )
    yield "masked", node("MaskedArrayNode", where, content={"data": text, "mask": plain(False)})
    yield "dtype", node("DTypeNode", where, content=text)
    yield "random", node("RandomStateNode", where, content=text)
    bits = {"bit_generator": mapped(bit_generator=plain("PCG64")), "seed_seq": nothing}
    yield "generator", node("RandomGeneratorNode", where, content=bits)
    yield "sparse", node("SparseMatrixNode", where, type="scipy", file="text.npy")
    yield "bytes", node("BytesNode", where, file="text.npy")
    yield "bytearray", node("BytearrayNode", where, file="text.npy")
    yield "slice", node("SliceNode", where, content={"start": 0, "stop": 1, "step": None})
    bound = {"func": called, "args": tupled([text]), "kwds": nothing, "namespace": nothing}
    yield "partial", node("PartialNode", "functools.partial", content=bound)
    yield "any partial", node("PartialNode", where, content={**bound, "func": plain(None)})
    method = {"func": "save", "obj": node("ObjectNode", where)}
    yield "method", node("MethodNode", where, content=method)
    operator = "operator." + where.rpartition(".")[2]
    yield "operator", node("OperatorFuncNode", operator, attrs=tupled([text]))
    yield "step", transformer(called)
    yield "step of a type", transformer(typed)


def names(packages: Collection[str] = PACKAGES) -> list[str]:
    """Everything that these packages can reach by name, through whatever they import."""
    return sorted(
        f"{module}.{name}"
        for module, there in list(sys.modules.items())
        if module.partition(".")[0] in packages
        for name in getattr(there, "__dict__", {})
    )


def text_file(bait: str) -> dict[str, bytes]:
    file = io.BytesIO()
    np.save(file, np.array(bait))
    return {"text.npy": file.getvalue()}


# a child that is watched


def watched(paths: Sequence[Path]) -> tuple[list[str | None], list[str]]:
    """Read files in a process of its own, which stands in the folder of the first.

    Returns:
        For each the message, None where it was read; and what Python's audit hooks saw.
    """
    read_end, write_end = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of threads that a fork leaves behind
        child = os.fork()
    if child == 0:
        os.close(read_end)
        try:
            told = _noted(paths)
        except BaseException:
            told = [], [traceback.format_exc()]
        with os.fdopen(write_end, "w") as pipe:
            json.dump(told, pipe)
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        answer = pipe.read()
    status = os.waitpid(child, 0)[1]
    assert status == 0, f"the child ended with {status}"
    messages, seen = json.loads(answer)
    return messages, seen


def _noted(paths: Sequence[Path]) -> tuple[list[str | None], list[str]]:
    seen: list[str] = []
    os.chdir(paths[0].parent)
    gc.freeze()  # what the parent has is not looked through again

    def note(event: str, args: tuple[Any, ...]) -> None:
        if event.startswith(WATCHED) and not _is_own(event, args):
            seen.append(f"{event} {args!r}"[:300])

    sys.addaudithook(note)
    messages = [read(path) for path in paths]
    gc.collect()
    return messages, list(seen)


def _is_own(event: str, args: tuple[Any, ...]) -> bool:
    """Python and its packages, which read what is theirs, and the file that is to be read."""
    if event == "exec":
        return str(args[0].co_filename).endswith(".py")
    if event == "open":
        path, mode = str(args[0]), args[1]
        return mode in ("r", "rb", None) and (path.startswith(OWN) or path.endswith(".skops"))
    return event in HARMLESS


def read(path: Path) -> str | None:
    """Read a file and use what was read; the message where it was refused."""
    try:
        made = load_saved(path, (), lambda line: None)
    except SourceFailed as refused:
        return refused.message
    for use in ("transform", "__call__"):
        try:
            getattr(made, use)(np.array([["a"]]))
        except Exception:  # noqa: S112 # most are not made to be used so
            continue
    return None


# every name in every place


def import_everything() -> None:
    """Modules that a user's own code may have imported, so that their names are reached.

    Some of them make a folder where they are imported.
    """
    with TemporaryDirectory() as folder, chdir(folder), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in ("numpy", "scipy", "sklearn", "lightgbm", "xgboost", "catboost", "imblearn"):
            try:
                package = importlib.import_module(name)
            except ImportError:
                continue
            for module in pkgutil.walk_packages(package.__path__, f"{name}.", lambda name: None):
                if not {"tests", "conftest", "setup", "__main__"} & set(module.name.split(".")):
                    try:
                        importlib.import_module(module.name)
                    except BaseException:  # noqa: S112 # needs what is not there
                        continue


def taken_by_the_judge(some: Iterable[str]) -> list[tuple[str, str]]:
    """Names and kinds of node that are not refused."""
    return [
        (name, kind)
        for name in some
        for kind, schema in kinds(name, "bait")
        if not refusals(schema)
    ]


def refusals(schema: Node) -> set[str]:
    try:
        return judged(schema, ()).refused
    except Exception as error:
        return {repr(error)}


def assert_harmless(files: list[tuple[str, str]], folder: Path) -> None:
    """None of them touches a file or starts a process, from being read to being collected."""
    paths = []
    for place, (name, kind) in enumerate(files):
        schema = dict(kinds(name, str(folder)))[kind]
        paths.append(written(folder / f"{place}.skops", schema, text_file(str(folder))))
    there = sorted(folder.iterdir())

    messages, seen = watched(paths)

    assert seen == [], seen[:40]
    assert None in messages, "all were refused"
    assert sorted(folder.iterdir()) == there
