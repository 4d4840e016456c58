"""Where files are opened: in a folder that others may write to only by `function/files.py`.

Each other call is allowed by its module and number, with the reason.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

from tests.conftest import ROOT

METHODS = {"read_text", "read_bytes", "write_text", "write_bytes", "touch"}
MODULES = {"os": {"open"}, "sqlite3": {"connect"}, "shutil": {"copy", "copyfile"}, "io": {"open"}}
# Objects with an `open` of their own, as they are called in the code: no path is opened by name.
OTHERS = {
    "self", "model", "link", "part", "parts", "storage", "opened", "opener", "archive", "tarfile",
    "zstd", "fsspec", "Image", "target",
}  # fmt: skip


ALLOWED = {
    "looks first whether it is a regular file of the folder": {
        "convert/autogluon/folder.py": 1,
    },
    "runs elsewhere, on files that it is handed": {
        "convert/autogluon/predictor_there.py": 1,
    },
    "a temporary folder of its own": {
        "convert/build.py": 1,
        "convert/converters/libraries/catboost/estimators.py": 2,
    },
    "what is packed, and a scratch folder or OUT of the one who packs": {
        "convert/bundle/archive.py": 1,
        "convert/bundle/browser.py": 14,
        "convert/bundle/contents.py": 6,
        "convert/bundle/image.py": 2,
        "convert/bundle/image_debian.py": 4,
        "convert/bundle/image_layer.py": 2,
        "convert/bundle/npm.py": 1,
        "convert/bundle/package.py": 1,
        "convert/bundle/publish.py": 7,
        "convert/bundle/sign.py": 4,
    },
    "the user names it": {
        "convert/describe.py": 1,
        "convert/file_hashes.py": 1,
        "convert/imported/images.py": 2,
        "convert/imported/onnx_file.py": 2,
        "convert/imported/sample.py": 2,
        "convert/imported/settings.py": 1,
        "convert/imported/text_options.py": 1,
        "convert/tables/rows_file.py": 6,
        "convert/tables/toml_file.py": 1,
        "convert/train/command.py": 1,
    },
    "a part that it makes by O_EXCL, and what was just written": {
        "convert/directory/durable.py": 2,
    },
    "a folder that it has made, or the part of `whole`": {
        "convert/directory/model_directory.py": 2,
    },
    "examples read their own data": {
        "convert/examples/parts/packages.py": 1,
        "convert/examples/parts/pictures.py": 1,
        "convert/examples/summary.py": 1,
        "convert/examples/training/dates_translated.py": 1,
    },
    "what its parent hands over, and the null device": {
        "convert/older/program.py": 2,
    },
    "without waiting, and looks what it is: links of a table's folder are followed": {
        "convert/reference/images.py": 2,
    },
    "the null device": {
        "convert/reference/reference.py": 1,
    },
    "the user names OUT; the journal is beside it": {
        "convert/score/journal.py": 5,
        "convert/score/on_cluster.py": 1,
        "convert/score/storage.py": 2,
    },
    "the user names the source, which was unpacked or hashed": {
        "convert/sources/mlflow_folder.py": 3,
        "convert/sources/origin.py": 1,
        "convert/sources/saved.py": 3,
        "convert/sources/source.py": 1,
    },
    "what the kernel has of another worker, below /proc": {
        "edge/aggregation/graphs.py": 1,
    },
    "the bundle that it is started from": {
        "edge/bundle_main.py": 1,
    },
    "the kernel's own files": {
        "edge/device/machine.py": 2,
        "edge/forward/records.py": 1,
        "edge/workers/serve.py": 1,
    },
    "root's own folder, by O_EXCL": {
        "edge/device/slots.py": 3,
    },
    "root's own folder": {
        "edge/install/from_zip.py": 3,
        "edge/install/install.py": 1,
    },
    "looks first whether it is a regular file: the operator names it": {
        "edge/predictions/ownership.py": 1,
    },
    "the operator names it": {
        "edge/server/tls.py": 1,
    },
    "a descriptor that this process has": {
        "edge/service/log_writer.py": 1,
    },
    "by O_NOFOLLOW and O_EXCL, and of a form that is checked": {
        "edge/service/secret.py": 2,
    },
    "the operator's, maybe a link of theirs": {
        "edge/settings/environment_file.py": 2,
    },
    "a folder, to lock it": {
        "edge/settings/keys.py": 1,
    },
    "SQLite opens by name only; root becomes the folder's owner first": {
        "edge/store/database.py": 3,
    },
    "root's own folder, or what the operator names": {
        "edge/update/confirm.py": 1,
        "edge/update/fetch.py": 2,
        "edge/update/health.py": 1,
        "edge/update/history.py": 1,
        "edge/update/keys.py": 1,
        "edge/update/signature.py": 1,
        "edge/update/status.py": 1,
    },
    "the room itself": {
        "function/files.py": 1,
    },
    "the package's own pages": {
        "function/http/pages.py": 2,
    },
    "folder after folder, without following links: a model's own stay in it": {
        "function/model_files.py": 3,
    },
    "a cache in a folder that only this user writes to, which is checked": {
        "function/models/s3_graphs.py": 1,
    },
}


def opens(call: ast.Call) -> bool:
    """Whether it opens, writes or makes a file by a name."""
    match call.func:
        case ast.Name(id="open"):
            return True
        case ast.Attribute(value=ast.Name(id=module), attr=name) if module in MODULES:
            return name in MODULES[module]
        case ast.Attribute(value=ast.Name(id=owner), attr="open") if owner in OTHERS:
            return False
        case ast.Attribute(attr=name):
            return name == "open" or name in METHODS
    return False


def found() -> Iterator[str]:
    """The module of each call."""
    for room in ("function", "convert", "edge"):
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and opens(node):
                    yield str(path.relative_to(ROOT))


def test_each_file_is_opened_by_the_room_or_for_a_reason() -> None:
    allowed = {module: count for each in ALLOWED.values() for module, count in each.items()}
    assert dict(Counter(found())) == allowed, "open it by function/files.py, or say why not"


def test_each_sort_of_opening_is_seen() -> None:
    for code in (
        "open(p)", "os.open(p, 0)", "sqlite3.connect(p)", "p.open()", "p.read_text()",
        "p.read_bytes()", "(a / b).write_text(t)", "p.write_bytes(t)", "p.touch()",
        "shutil.copyfile(p, q)",
    ):  # fmt: skip
        (statement,) = ast.parse(code).body
        assert isinstance(statement, ast.Expr)
        assert isinstance(statement.value, ast.Call)
        assert opens(statement.value), code
