"""Counting where requests, texts, manifests and answers are odd."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union

from onnxlet.convert.directory.reference_statistics import read
from onnxlet.convert.imported.import_onnx import import_onnx
from onnxlet.convert.sources.source import Source
from onnxlet.function.app import SERVICE
from onnxlet.function.messages import Prediction
from onnxlet.function.models.model import Model
from onnxlet.function.monitoring.bins import pictures
from onnxlet.function.monitoring.gathered import Gathered
from onnxlet.function.monitoring.layout import Layout
from onnxlet.function.monitoring.watch import Watch
from onnxlet.function.monitoring.watches import Watches
from tests.conftest import app_of, client_of, quiet
from tests.function.monitoring.models import asked, built, customers, memory_of, reviews

IRIS = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]


def test_requests_of_every_number_type_are_counted_alike(models: Path) -> None:
    """Their arrays differ in type, and are gathered together."""
    app = app_of(models, owned=True)
    client = client_of(app)
    whole = [[5.0, 3.0, 1.0, 0.0], [6.0, 3.0, 5.0, 2.0]]
    types = {"FP32": whole, "FP64": whole, "INT16": whole, "JSON": whole}
    for _ in range(20):
        for kind, rows in types.items():
            flat = [cell if kind[0] in "FJ" else int(cell) for row in rows for cell in row]
            tensor = {"name": "input", "shape": [2, 4], "datatype": kind, "data": flat}
            path, body = "/v2/models/iris/infer", {"inputs": [tensor]}
            if kind == "JSON":
                path, body = "/models/iris/predict", {"instances": rows}  # type: ignore[dict-item] # a list of rows
            assert client.post(path, body).status == 200
    service = app.extensions[SERVICE]
    model = service.repository.choose("iris")
    watch = service.watches.of(model)
    prediction = asked(model, read(model, whole * 80))

    figures = watch.figures()
    assert figures.total.rows == 160
    expected = watch.layout.count(Gathered(prediction))
    assert figures.total.counts.tolist() == expected.tolist()


def test_two_vectorisers_of_one_text(tmp_path: Path) -> None:
    source = reviews()
    texts = [str(text) for text in source.X_train]
    X, y = pd.DataFrame({"text": texts}), np.array(["good" in text for text in texts])
    union = make_union(CountVectorizer(), TfidfVectorizer(analyzer="char"))
    model = make_pipeline(
        make_column_transformer((union, "text")), LogisticRegression(max_iter=500)
    ).fit(X, y)
    served = built(Source(model, X, y), tmp_path)
    app = app_of(tmp_path, owned=True)
    rows = [{"text": f"{text} zyx"} for text in texts]

    assert client_of(app).post("/predict", {"instances": rows}).status == 200

    report = client_of(app).get(f"/models/{served.name}/drift").json()
    measures = [(e["column"], e["measure"]) for e in report["columns"]]
    assert measures == [("text", "length"), ("text", "unknown_tokens")]
    sums = [sum(e["window"]) for e in report["columns"] + report["predictions"]]
    assert sums == pytest.approx([1.0] * len(sums), abs=1e-4)


def test_off_no_tokens_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = built(reviews(), tmp_path)
    asked_for = []
    run = Model.run

    def noting(self: Model, *args: Any, **kwargs: Any) -> Any:
        asked_for.append(kwargs.get("noted") is not None)
        return run(self, *args, **kwargs)

    monkeypatch.setattr(Model, "run", noting)
    for watch in (True, False):
        app = app_of(tmp_path, owned=True, watch=watch)
        row = {model.signature.columns[0].name: "a good film"}
        assert client_of(app).post("/predict", {"instances": [row]}).status == 200

    assert asked_for == [True, False]


EDITS: dict[str, Any] = {
    "a column that is not there": lambda e: e.update(column="none"),
    "counts of other bins": lambda e: e["counts"].append(7),
    "an edge that is no number": lambda e: e.update(edges=["x"] * len(e["edges"])),
    "an edge that is too large": lambda e: e["edges"].__setitem__(0, 10**400),
    "no measure": lambda e: e.pop("measure"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_manifest_that_somebody_edited_fails_no_answer(models: Path, edit: str) -> None:
    import copy
    import json

    manifest = json.loads((models / "iris" / "1" / "manifest.json").read_text())
    features = manifest["reference"]["features"]
    EDITS[edit](next(e for e in features if e.get("column") == "x0"))
    app = app_of(models, owned=True)
    model = app.extensions[SERVICE].repository.choose("iris")
    model.manifest = copy.deepcopy(manifest)
    client = client_of(app)

    answers = [client.post("/models/iris/predict", {"instances": IRIS}) for _ in range(3)]

    assert {answer.status for answer in answers} == {200}
    assert client.post("/models/iris/predict", {"instances": [[1, 2]]}).status == 422
    answer = client.get("/models/iris/drift")
    assert answer.status == 404
    assert "counting has failed" in answer.json()["detail"]


def test_probabilities_that_are_missing_count_for_nothing(models: Path) -> None:
    model = app_of(models, owned=True).extensions[SERVICE]
    iris = model.repository.choose("iris")
    layout = Layout(iris.manifest, iris.signature)
    prediction = asked(iris, read(iris, IRIS * 100))
    outputs = {**prediction.outputs, "probabilities": np.full((200, 3), np.nan)}

    counts = layout.count(Gathered(prediction._replace(outputs=outputs)))

    assert sum(int(counts[bins].sum()) for spans in layout.expected for bins in spans) == 0
    assert layout.expected_performance(counts)["accuracy"] is None


def test_the_numbers_of_clusters_are_labels(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(300, 2))
    model = built(Source(KMeans(15, n_init=1, random_state=0).fit(X), X), tmp_path)

    [entry] = [e for e in model.manifest["reference"]["features"] if "output" in e]

    assert entry["measure"] == "label"
    assert set(entry["categories"]) <= set(range(15))


def test_images_are_looked_at_in_few_of_their_numbers() -> None:
    random = np.random.default_rng(0)
    cells = np.empty((2, 1), object)
    cells[:, 0] = [random.normal(5, 2, (3, 224, 224)), np.empty((0,))]

    found = pictures(cells)

    assert found[0] == pytest.approx([5, 2], abs=0.15)
    assert np.isnan(found[1]).all()


@pytest.mark.memory
def test_two_hundred_columns_and_twenty_classes_stay_within_64_kb(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    X = pd.DataFrame(random.normal(size=(2000, 195)), columns=[f"c{n}" for n in range(195)])
    y = random.integers(0, 20, 2000)
    model = built(
        Source(LogisticRegression(max_iter=20).fit(X, y), X[:1000], y[:1000], X), tmp_path
    )
    prediction = asked(model, read(model, X[:300].to_numpy().tolist()))
    assert "classes" in model.manifest["estimate"]

    def watching() -> Watch:
        watch = Watch(lambda: Layout(model.manifest, model.signature))
        for _ in range(4):
            watch.count(prediction)
        return watch

    assert watching().figures().total.rows == 1200
    assert 20_000 < memory_of(watching) <= 64_000


def test_a_watch_goes_with_its_model(tmp_path: Path) -> None:
    import gc
    import weakref

    X, y = customers(600)
    numbers = X[["age", "visits"]]
    model = built(Source(LogisticRegression().fit(numbers, y), numbers, y), tmp_path)
    watches = Watches()
    watch = weakref.ref(watches.of(model))
    count = Prediction("r", model, read(model, [[1.0, 2]]), {}, 1)
    del model, count
    gc.collect()

    assert watch() is None


def test_images_that_grow_brighter(tmp_path: Path) -> None:
    """By the whole way: a graph that was imported with a sample, and requests of nested lists."""
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 40, 40])
    means = helper.make_tensor_value_info("means", TensorProto.FLOAT, ["n", 3])
    node = helper.make_node("ReduceMean", ["image"], ["means"], axes=[2, 3], keepdims=0)
    graph = helper.make_graph([node], "means", [image], [means])
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=9), tmp_path / "m.onnx")
    random = np.random.default_rng(0)

    def images(rows: int) -> Any:
        return random.normal(random.normal(5, 1, (rows, 1, 1, 1)), 1, (rows, 3, 40, 40)).round(2)

    np.savez(tmp_path / "sample.npz", image=images(200).astype(np.float32))
    models = tmp_path / "models"
    import_onnx(tmp_path / "m.onnx", "m", models, quiet, sample=tmp_path / "sample.npz")
    client = client_of(app_of(models, owned=True))
    for more in (0, 2):
        for _ in range(4):
            rows = [{"image": each.tolist()} for each in images(30) + more]
            assert client.post("/predict", {"instances": rows}).status == 200

    found = client.get("/models/m/drift").json()
    assert [(e["column"], e["measure"]) for e in found["columns"]] == [
        ("image", "brightness"),
        ("image", "contrast"),
    ]
    alarms = {(alarm["column"], alarm["measure"]) for alarm in found["alarms"]}
    assert ("image", "brightness") in alarms
    assert ("image", "contrast") not in alarms
