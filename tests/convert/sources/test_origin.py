"""Where a model comes from: hashes of code and rows, the same each time, without folders."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris

from onnxlet.convert.directory.golden import verify
from onnxlet.convert.sources.origin import folder_entry, rows_read
from onnxlet.convert.sources.users_function import called
from onnxlet.function.app import create_app
from onnxlet.function.settings import Settings
from tests.convert.helpers import ROOT

CODE = """
from pathlib import Path

import pandas as pd
from sklearn.linear_model import LinearRegression

import weights_of_mine

HERE = Path(__file__).resolve().parent


def build():
    from late_of_mine import scaled

    rows = pd.read_csv(HERE / "data" / "rows.csv.gz")
    rows.to_csv(HERE / "written.csv")
    pd.read_csv(HERE / "written.csv")
    (HERE / "notes.md").read_text()
    more = pd.read_json(HERE.parent / "other" / "more.json")
    X, y = scaled(rows[["a", "b"]]), rows["y"] * weights_of_mine.WEIGHT * len(more)
    return LinearRegression().fit(X, y), X[:30], y[:30]
"""


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """Somebody's project: two modules beside the source, one of them imported late, and rows."""
    folder = tmp_path / "theirs"
    (folder / "data").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    rows = np.random.default_rng(4).normal(size=(60, 2))
    frame = pd.DataFrame(rows, columns=["a", "b"]).assign(y=rows @ [1.0, 2.0])
    frame.to_csv(folder / "data" / "rows.csv.gz", index=False)
    frame.to_json(tmp_path / "other" / "more.json")
    (folder / "model.py").write_text(CODE)
    (folder / "notes.md").write_text("read, and no rows")
    (folder / "weights_of_mine.py").write_text("import json\n\nWEIGHT = 2.0\n")
    (folder / "late_of_mine.py").write_text("def scaled(X):\n    return X * 2\n")
    (folder / "unused_of_mine.py").write_text("")
    return folder


def made(folder: Path) -> tuple[dict[str, Any], str]:
    """The origin in the manifest of the highest version, built in a process of its own; output."""
    command = [sys.executable, "-m", "onnxlet", "build", "model.py:build", "--name", "m"]
    own = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=own)
    assert done.returncode == 0, done.stderr
    highest = max((folder / "models" / "m").iterdir(), key=lambda each: int(each.name))
    manifest = json.loads((highest / "manifest.json").read_bytes())
    verify(highest)
    return manifest.get("origin", {}), done.stdout + done.stderr


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.long
def test_the_code_and_the_rows_of_a_function_are_in_the_manifest(theirs: Path) -> None:
    origin, _ = made(theirs)

    code = ("late_of_mine.py", "model.py", "weights_of_mine.py")
    assert origin == {
        "code": [{"file": name, "sha256": sha256(theirs / name)} for name in code],
        "tables": [
            {
                "file": "data/rows.csv.gz",
                "sha256": sha256(theirs / "data" / "rows.csv.gz"),
            },
            {"file": "more.json", "sha256": sha256(theirs.parent / "other" / "more.json")},
        ],
    }
    assert str(theirs) not in json.dumps(origin)


@pytest.mark.long
def test_the_same_model_of_other_code_stays_the_version_that_it_is(theirs: Path) -> None:
    first, _ = made(theirs)
    with (theirs / "weights_of_mine.py").open("a") as file:
        file.write("# a comment\n")
    second, said = made(theirs)

    assert second == first
    assert "note: version 1 is the same model: its origin stays, of other files" in said
    (theirs / "weights_of_mine.py").write_text("WEIGHT = 3.0\n")
    third, said = made(theirs)
    assert third["code"] != first["code"]
    assert "m version 2 written to" in said


@pytest.mark.long
def test_a_manifest_without_it_is_valid(theirs: Path) -> None:
    made(theirs)
    file = theirs / "models" / "m" / "1" / "manifest.json"
    manifest = json.loads(file.read_bytes())
    del manifest["origin"], manifest["versions"]["onnxlet"]
    file.write_text(json.dumps(manifest))

    assert verify(file.parent)[1] == 24


@pytest.mark.long
def test_no_list_of_models_names_it(theirs: Path) -> None:
    origin, _ = made(theirs)
    client = create_app(theirs / "models", settings=Settings()).test_client()
    for path in ("/models", "/models/m", "/v2/models/m", "/openapi.json"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert origin["code"][0]["sha256"] not in answer.text
        assert "late_of_mine" not in answer.text


def test_a_package_that_is_named_brings_its_own_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in {
        "__init__": "",
        "models": "from . import steps\nfrom .data import ROWS\ndef build(): return ROWS, 1\n",
        "steps": "import shop_of_mine.deep\n",
        "deep": "",
        "data": "ROWS = 1\n",
        "other": "",
    }.items():
        file = tmp_path / "shop_of_mine" / f"{name}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)

    parts, origin = called("shop_of_mine.models:build")

    assert parts == (1, 1)
    names = [each["file"] for each in origin["code"]]
    assert names == ["__init__.py", "data.py", "deep.py", "models.py", "steps.py"]


def test_what_was_written_meanwhile_or_is_installed_is_none_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, own, cache = tmp_path / "kept.csv", tmp_path / "own.csv", tmp_path / ".cache"
    cache.mkdir()
    (cache / "fonts.json").write_text("{}")
    kept.write_text("a\n1\n")
    with rows_read() as found:
        load_iris()  # a CSV of scikit-learn's
        own.write_text("a\n2\n")
        own.read_text()
        kept.read_text()
        (cache / "fonts.json").read_text()
        (tmp_path / "gone.csv").touch()
    later = tmp_path / "later.csv"
    later.write_text("a\n")
    later.read_text()

    assert found == [kept]

    monkeypatch.chdir(cache)  # somebody's project may be in a hidden folder
    with rows_read() as found:
        Path("fonts.json").read_text()
    assert found == [cache / "fonts.json"]


def test_a_folder_is_one_hash_of_what_sha256sum_lists(tmp_path: Path) -> None:
    for name in ("b/2.png", "a/10.png", "a/é.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    command = "find . -type f | sed 's|^./||' | LC_ALL=C sort | xargs sha256sum | sha256sum"
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True)  # noqa: S602

    [entry] = folder_entry(tmp_path, [each for each in tmp_path.rglob("*") if each.is_file()])

    assert entry == {"file": tmp_path.name, "files": 3, "sha256": done.stdout.split()[0]}


def test_where_the_working_directory_is_gone_files_are_opened_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    (tmp_path / "rows.csv").write_text("a\n1\n")
    (tmp_path / "bytes.csv").write_text("a\n1\n")
    monkeypatch.chdir(tmp_path / "gone")
    folder = os.open(tmp_path, os.O_RDONLY)
    with rows_read() as found:
        (tmp_path / "gone").rmdir()
        with open(os.open("rows.csv", os.O_RDONLY, dir_fd=folder)) as file:  # noqa: PTH123
            assert file.read() == "a\n1\n"
        with open(os.fsencode(tmp_path / "bytes.csv"), "rb") as file_of_bytes:  # noqa: PTH123
            file_of_bytes.read()
        (tmp_path / "rows.csv").read_text()
        monkeypatch.chdir(tmp_path)
    os.close(folder)

    assert found == [tmp_path / "bytes.csv", tmp_path / "rows.csv"]
