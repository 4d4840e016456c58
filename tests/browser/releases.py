"""Releases of one folder: two as the command writes them, and others made of these."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import sys
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from onnxlet.convert.bundle.browser import SCRIPTS, SHORT, TYPES, tar_of
from onnxlet.convert.sources.source import Source
from tests.conftest import ran
from tests.kept_builds import kept, kept_builds
from tests.page.sites import reviews

Alter = Callable[[dict[str, bytes]], None]
MODELS = ["churn", "iris", "rent", "reviews"]


def rent(euros: float = 12.0) -> Source:
    """Two numbers, one of which may be missing in no row."""
    random = np.random.default_rng(0)
    X = pd.DataFrame({"area": random.uniform(20, 120, 200), "floor": random.uniform(0, 9, 200)})
    y = X["area"] * euros + X["floor"] * 3
    return Source(LinearRegression().fit(X[:100], y[:100]), X[100:], y[100:], X[:100])


def churn() -> Source:
    """A column of categories beside a number, two classes."""
    random = np.random.default_rng(1)
    X = pd.DataFrame(
        {
            "plan": random.choice(["basic", "größer", "専門"], 300),
            "months": random.integers(0, 60, 300).astype(float),
        }
    )
    y = np.where((X["plan"] == "basic") & (X["months"] < 30), "leaves", "stays")
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["plan"]), remainder="passthrough"
    )
    model = make_pipeline(columns, LogisticRegression(max_iter=1000)).fit(X[:200], y[:200])
    return Source(model, X[200:], y[200:], X[:200])


def iris() -> Source:
    """A forest of four numbers, three classes that are whole numbers."""
    X, y = load_iris(return_X_y=True)
    forest = RandomForestClassifier(10, random_state=0).fit(X[::2], y[::2])
    return Source(forest, X[1::2], y[1::2], X[::2])


def releases() -> Path:
    """`models-1`, `models-2`, `release-1` and `release-2`: nobody writes there."""
    return kept("browser-releases", _write)


def _write(into: Path) -> None:
    made = {"churn": churn(), "iris": iris(), "rent": rent(), "reviews": reviews()}
    kept_builds(made, into / "models-1")
    shutil.copytree(into / "models-1", into / "models-2")
    kept_builds({"rent": rent(15.0)}, into / "models-2")
    for number in (1, 2):
        site = into / f"release-{number}"
        if number > 1:  # in the place of the one before, as users do it
            shutil.copytree(into / f"release-{number - 1}", site)
        done = ran(
            [sys.executable, "-m", "convert", "package", "--models", into / f"models-{number}",
             "--target", "browser", "--out", site]
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


def files_of(site: Path) -> dict[str, bytes]:
    """The bytes of each file, by its path in the folder."""
    return {
        path.relative_to(site).as_posix(): path.read_bytes()
        for path in sorted(site.rglob("*"))
        if path.is_file()
    }


def release_of(files: Mapping[str, bytes]) -> Any:
    """What the release says of itself."""
    [text] = [each for path, each in files.items() if path.startswith("files/release-")]
    return json.loads(text.removeprefix(b"export default ").removesuffix(b";\n"))


def in_order(files: Mapping[str, bytes]) -> list[str]:
    """The paths of what a browser gets, in the order that it does so first."""
    release = release_of(files)
    packed = [about["path"] for about in release["packed"].values()]
    return ["service-worker.js", release["path"], *packed, *release["plain"]]


def members(tar: bytes) -> dict[str, bytes]:
    """The files of a tar, by their paths."""
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        return {each.name: archive.extractfile(each).read() for each in archive}  # type: ignore[union-attr]


def unpacked(site: Path, into: Path) -> Path:
    """The models that a folder publishes, as a folder of model directories."""
    files = files_of(site)
    release = release_of(files)
    for model in release["models"].values():
        packed = files[release["packed"][model["file"]]["path"]]
        for path, content in members(gzip.decompress(packed)).items():
            (into / path).parent.mkdir(parents=True, exist_ok=True)
            (into / path).write_bytes(content)
    return into


def rewritten(
    site: Path, out: Path, number: int, models: Mapping[str, Alter] = {}, anew: bool = False
) -> Path:
    """A release with another number, whose hashes are right.

    Args:
        site: the one that it is made of.
        out: its folder, which is made.
        number: its number.
        models: by names of models, what changes their files.
        anew: whether every file has other bytes, and hence another hash.
    """
    files = files_of(site)
    release = release_of(files)
    for name, about in release["packed"].items():
        content = gzip.decompress(files.pop(about["path"]))
        model = name.rpartition("-")[0]
        if model in models:
            held = members(content)
            models[model](held)
            content = tar_of(held)
        packed = gzip.compress(content, 1 if anew else 9, mtime=0)
        path = f"files/{name}-{sha256(packed)[:SHORT]}.pack"
        files[path] = packed
        release["packed"][name] = about_file(path, packed)
    moved = dict[str, str]()
    for name in SCRIPTS if anew else ():
        stem = Path(name).stem  # all end in .js there
        [old] = [path for path in files if _is_script(path, stem)]
        content = linked(files.pop(old), moved) + b"// anew\n"
        moved[old] = f"files/{stem}-{sha256(content)[:SHORT]}.js"
        files[moved[old]] = content
    [old] = [path for path in files if path.startswith("files/release-")]
    old_hash = sha256(files.pop(old))
    digest = sha256(json.dumps([number, anew, release["packed"], moved]).encode())
    moved[old] = f"files/release-{digest[:SHORT]}.js"
    mark = b"<!-- anew -->\n"
    more = {".html": mark, ".svg": mark, ".webmanifest": b"\n", ".json": b"\n"}
    for path in [path for path in files if "/" not in path]:
        last = more.get(Path(path).suffix, b"/* anew */\n") if anew else b""
        files[path] = linked(files[path], moved) + last
    release["plain"] = {
        path: about_file(path, content)
        for path, content in files.items()
        if not path.endswith(".pack")
        and not path.startswith("licences/")
        and path not in ("service-worker.js", "package.json")
    }
    whole = release | {"number": number, "digest": digest, "path": moved[old]}
    files[moved[old]] = b"export default " + json.dumps(whole).encode() + b";\n"
    worker = files["service-worker.js"].decode()
    files["service-worker.js"] = worker.replace(old_hash, sha256(files[moved[old]])).encode()
    for path, content in files.items():
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_bytes(content)
    return out


def _is_script(path: str, stem: str) -> bool:
    name = path.removeprefix("files/").removesuffix(".js")
    return path.startswith("files/") and name[: -SHORT - 1] == stem and path.endswith(".js")


def linked(text: bytes, moved: Mapping[str, str]) -> bytes:
    """A script that imports what has moved."""
    for old, new in moved.items():
        text = text.replace(Path(old).name.encode(), Path(new).name.encode())
    return text


def about_file(path: str, content: bytes) -> dict[str, Any]:
    """How a release has a file."""
    kind = TYPES[Path(path).suffix]
    return {"path": path, "sha256": sha256(content), "bytes": len(content), "type": kind}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def wrong_golden(held: dict[str, bytes]) -> None:
    """Have the golden rows of a model expect something else, with the right hash."""
    [golden] = [path for path in held if path.endswith("golden.json")]
    rows = json.loads(held[golden])
    answers = rows["answers"]["prediction"]
    answers[0] = "nobody" if isinstance(answers[0], str) else answers[0] + 1
    held[golden] = json.dumps(rows).encode()
    manifest = golden.replace("golden", "manifest")
    about = json.loads(held[manifest])
    about["files"]["golden.json"] = sha256(held[golden])
    held[manifest] = json.dumps(about).encode()
