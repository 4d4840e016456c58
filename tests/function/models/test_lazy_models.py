"""Models that load with their first request, and graphs that are fetched."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest

from onnxlet.function.app import SERVICE
from onnxlet.function.aws.native_events import warm_up
from onnxlet.function.errors import ModelError
from onnxlet.function.models import s3_graphs
from onnxlet.function.models.model import Model, load_model
from onnxlet.function.serving.service import Service
from tests.conftest import app_of, at_once
from tests.function.serving.test_predict import SHOP

BODY = {"instances": [SHOP]}


@pytest.fixture
def own(models: Path, tmp_path: Path) -> Path:
    shutil.copytree(models, tmp_path / "models")
    return tmp_path / "models"


def is_loaded(model: Model) -> bool:
    return "_session" in vars(model)


def make(folder: Path, **settings: Any) -> Any:
    return app_of(folder, **settings)


def test_a_lazy_model_is_listed_before_it_is_loaded(own: Path) -> None:
    app = make(own, lazy=True)
    repository = app.extensions[SERVICE].repository
    client = app.test_client()

    assert client.get("/models").status_code == 200
    assert client.get("/models/shop").json["signature"]
    assert [is_loaded(model) for model in repository.models] == [False] * len(repository.names)
    assert client.post("/models/shop/predict", json=BODY).json["prediction"] == [True]
    assert [model.name for model in repository.models if is_loaded(model)] == ["shop"]


def test_at_the_start_all_are_loaded(own: Path) -> None:
    repository = make(own).extensions[SERVICE].repository
    assert all(is_loaded(model) for model in repository.models)


def test_a_broken_lazy_model_fails_only_its_own_requests(own: Path) -> None:
    (own / "iris" / "1" / "model.onnx").write_bytes(b"altered")
    client = make(own, lazy=True).test_client()
    iris = {"instances": [[5.1, 3.5, 1.4, 0.2]]}

    for _ in range(2):
        assert client.post("/models/iris/predict", json=iris).status_code == 500
    assert client.post("/models/shop/predict", json=BODY).status_code == 200
    with pytest.raises(ModelError, match="altered"):
        make(own)


def test_several_first_requests_open_one_session(own: Path) -> None:
    opened: list[int] = []
    ready = threading.Barrier(4)
    known = load_model(own / "shop" / "1")

    def open_slowly() -> Any:
        opened.append(1)
        threading.Event().wait(0.05)
        return known._session

    model = Model("shop", 1, known.manifest, open_slowly)

    def ask() -> None:
        ready.wait(60)
        model.open()

    at_once(*[ask] * 4)
    assert opened == [1]


def test_warming_up_loads_and_runs_every_model(own: Path) -> None:
    service: Service = make(own, lazy=True).extensions[SERVICE]

    assert warm_up(service) == service.repository.names
    assert all(is_loaded(model) for model in service.repository.models)


def test_warming_up_reports_a_model_that_does_not_answer(own: Path) -> None:
    (own / "iris" / "1" / "model.onnx").write_bytes(b"altered")
    with pytest.raises(ModelError, match="altered"):
        warm_up(make(own, lazy=True).extensions[SERVICE])


class Bucket:
    """Stands for S3: has the graphs of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.asked: list[str] = []

    def download(self, url: str, target: Path) -> None:
        self.asked.append(url)
        shutil.copyfile(self._folder / url.removeprefix("s3://bucket/some/"), target)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def sha256_of(own: Path) -> str:
    manifest = json.loads((own / "shop" / "1" / "manifest.json").read_text())
    digest: str = manifest["files"]["model.onnx"]
    return digest


def test_a_graph_is_fetched_once_and_checked(own: Path, temporary: Path) -> None:
    bucket, key = Bucket(own), "shop/1/model.onnx"
    for url in ("s3://bucket/some", "s3://bucket/some/"):
        got = s3_graphs.fetch(url, key, sha256_of(own), bucket.download)
        assert got.read_bytes() == (own / key).read_bytes()
        assert temporary in got.parents
    assert bucket.asked == ["s3://bucket/some/shop/1/model.onnx"]

    got.write_bytes(b"torn")  # what a start that was killed might have left
    got.with_name(f".{got.name}.part").write_bytes(b"torn, too")
    s3_graphs.fetch("s3://bucket/some", key, sha256_of(own), bucket.download)
    assert got.read_bytes() == (own / key).read_bytes()
    assert len(bucket.asked) == 2
    assert [path.name for path in got.parent.iterdir()] == [got.name]


@pytest.mark.parametrize("made", ["open", "link", "file", "another's"])
def test_a_folder_that_somebody_else_made_is_not_used(
    own: Path, temporary: Path, tmp_path: Path, made: str
) -> None:
    """Whoever may write there changes a graph between its check and its use."""
    place, bucket = temporary / s3_graphs.CACHE, Bucket(own)
    if made == "link":
        (tmp_path / "theirs").mkdir(mode=0o700)
        place.symlink_to(tmp_path / "theirs")
    elif made == "file":
        place.touch(0o600)
    else:
        place.mkdir()
        place.chmod(0o777 if made == "open" else 0o700)
    if made == "another's":
        if os.geteuid() != 0:
            pytest.skip("needs root, to make it another user's")
        os.chown(place, 65534, 65534)
    with pytest.raises(ModelError, match="expected a folder of this user's own") as caught:
        s3_graphs.fetch("s3://bucket/some", "shop/1/model.onnx", sha256_of(own), bucket.download)
    assert "TMPDIR" in caught.value.hint
    assert bucket.asked == []


def test_graphs_are_kept_where_nobody_else_writes(own: Path, temporary: Path) -> None:
    for _ in range(2):
        digest, bucket = sha256_of(own), Bucket(own)
        s3_graphs.fetch("s3://bucket/some", "shop/1/model.onnx", digest, bucket.download)
    assert (temporary / s3_graphs.CACHE).stat().st_mode & 0o777 == 0o700
    assert str(os.geteuid()) in s3_graphs.CACHE, "each user has one"


def test_another_graph_is_refused_and_not_kept(own: Path, temporary: Path) -> None:
    digest = sha256_of(own)
    (own / "shop" / "1" / "model.onnx").write_bytes(b"another")

    with pytest.raises(ModelError, match="another graph: expected sha256") as caught:
        s3_graphs.fetch("s3://bucket/some", "shop/1/model.onnx", digest, Bucket(own).download)
    assert digest in caught.value.message
    assert [path for path in temporary.rglob("*") if path.is_file()] == []


def test_a_graph_that_is_nowhere_stops_the_process(own: Path, temporary: Path) -> None:
    (own / "shop" / "1" / "model.onnx").unlink()
    with pytest.raises(ModelError, match=r"model shop/1: model\.onnx: No such file") as caught:
        make(own)
    assert "ONNXLET_MODELS_URL" in caught.value.hint
    with pytest.raises(ModelError, match="can't be fetched"):
        make(own, models_url="s3://bucket/some")


def test_a_graph_in_its_folder_is_not_fetched(own: Path) -> None:
    client = make(own, models_url="s3://bucket/some").test_client()
    assert client.post("/models/shop/predict", json=BODY).status_code == 200


def test_a_fetched_graph_answers(own: Path, temporary: Path) -> None:
    kept = temporary / s3_graphs.CACHE / "shop" / "1" / f"{sha256_of(own)}.onnx"
    kept.parent.mkdir(parents=True)
    (own / "shop" / "1" / "model.onnx").rename(kept)

    client = make(own, models_url="s3://bucket/some").test_client()
    assert client.post("/models/shop/predict", json=BODY).json["prediction"] == [True]
