"""Neighbours as an answer: whichever steps come before, named by the index of X_train."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neighbors import KNeighborsTransformer, NearestNeighbors
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from onnxlet.convert.build import build
from onnxlet.convert.converters import registry
from onnxlet.convert.converters.neighbours import nearest
from onnxlet.convert.directory.golden import verify
from onnxlet.convert.errors import Refusal
from onnxlet.convert.graph.builder import K
from onnxlet.convert.graph.converter import Graph, Outputs, Table
from onnxlet.convert.parity.attempts import other_counts
from onnxlet.convert.parity.certificate import certificate_lines
from onnxlet.convert.sources.source import Source
from onnxlet.function.arrays import Array
from onnxlet.function.protocols import native
from onnxlet.function.protocols.shared import forms
from onnxlet.function.serving.predict import predict
from tests.conftest import quiet
from tests.function import near as made

WORDS = (
    "red blue green shirt shoe hat coat wool cotton silk warm cold summer winter".split()  # noqa: SIM905
)
random = np.random.default_rng(5)
TEXTS = [" ".join(random.choice(WORDS, 5)) for _ in range(120)]
PRODUCTS = pd.DataFrame(
    {
        "price": np.round(random.gamma(2.0, 20.0, 120), 2),
        "kind": random.choice(["shirt", "shoe", "hat"], 120),
        "weight": np.round(random.gamma(2.0, 1.0, 120), 3),
    },
    index=[f"sku-{n:03}" for n in range(120)],
)


def answered(source: Source, folder: Path, rows: list[Any], **more: Any) -> dict[str, Any]:
    """A native answer of the built model to some rows, and the build's manifest."""
    built = build(source, "near", folder, more.pop("report", quiet))
    model, _ = verify(built.directory)
    given = forms.answer(predict(model, native.from_object({"instances": rows, **more})))
    return {"manifest": built.manifest} | {
        name: value.tolist() if hasattr(value, "tolist") else value for name, value in given.items()
    }


def checked(got: dict[str, Any], rows: Array, points: Array, labels: Any, k: int) -> None:
    """Compare an answer with brute force."""
    positions, distances = made.nearest(rows, k, points)
    np.testing.assert_allclose(got["distances"], distances, rtol=1e-5, atol=1e-7)
    assert got["prediction"] == [[labels[at] for at in row] for row in positions.tolist()]


def test_a_column_transformer_before_it(tmp_path: Path) -> None:
    before = make_column_transformer(
        (StandardScaler(), ["price", "weight"]), (OneHotEncoder(), ["kind"])
    )
    model = make_pipeline(before, NearestNeighbors(n_neighbors=3)).fit(PRODUCTS)
    rows = PRODUCTS.iloc[:25].assign(price=lambda frame: frame["price"] + 0.1)
    source = Source(model, rows, None, PRODUCTS)
    got = answered(source, tmp_path, rows.to_dict("records"), k=6)
    assert got["manifest"]["task"] == "neighbours"
    points, given = (np.asarray(model[0].transform(each)) for each in (PRODUCTS, rows))
    checked(got, given, points, PRODUCTS.index, 6)


def test_principal_components_before_it_in_a_pipeline_of_its_own(tmp_path: Path) -> None:
    points = np.random.default_rng(1).normal(size=(80, 6))
    inner = Pipeline([("pca", PCA(3)), ("near", NearestNeighbors(n_neighbors=2, p=1))])
    model = make_pipeline(StandardScaler(), inner).fit(points)
    rows = points[:25] + 0.01
    got = answered(Source(model, rows), tmp_path, rows.tolist())
    reduced = [inner[0].transform(model[0].transform(each)) for each in (points, rows)]
    apart = np.abs(reduced[1][:, np.newaxis] - reduced[0]).sum(axis=2)
    order = np.argsort(apart, axis=1, kind="stable")[:, :2]
    assert got["prediction"] == order.tolist()
    np.testing.assert_allclose(got["distances"], np.take_along_axis(apart, order, axis=1))


def test_texts_by_the_cosine(tmp_path: Path) -> None:
    """Equal texts are many: which come first is a tie, and the first of the fit does."""
    model = make_pipeline(TfidfVectorizer(), NearestNeighbors(n_neighbors=4, metric="cosine"))
    model.fit(TEXTS)
    trained = pd.Series(TEXTS, index=[f"text {n}" for n in range(120)])
    rows = [*TEXTS[:20], "red red hat", "silk coat", "no such word as these", "wool", "hat shoe"]
    got = answered(Source(model, rows, None, trained), tmp_path, [[text] for text in rows])
    points, given = (model[0].transform(texts).toarray() for texts in (TEXTS, rows))
    distances = 1.0 - given @ points.T
    order = np.argsort(np.round(distances, 9), axis=1, kind="stable")[:, :4]
    assert got["prediction"] == [[f"text {at}" for at in row] for row in order.tolist()]
    assert got["manifest"]["parity"]["tied_rows"] > 0


@pytest.mark.parametrize("algorithm", ["brute", "kd_tree", "ball_tree"])
def test_the_very_rows_of_the_fit_and_the_same_again(algorithm: Any, tmp_path: Path) -> None:
    model = NearestNeighbors(n_neighbors=3, algorithm=algorithm, leaf_size=5).fit(made.POINTS)
    rows = made.POINTS[:25]
    got = answered(Source(model, rows), tmp_path, rows.tolist(), k=2)
    checked(got, rows, made.POINTS, range(150), 2)
    assert got["manifest"]["parity"]["k"] == [3, 1, 100]
    assert got["manifest"]["parity"]["tied_rows"] > 0


@pytest.mark.parametrize(("first", "kind"), [(1000, "int64"), ("SKU 1", "string")])
def test_the_labels_of_the_index(first: Any, kind: str, tmp_path: Path) -> None:
    labels = [first, *(range(1, 150) if kind == "int64" else made.LABELS[1:])]
    frame = made.frame(made.POINTS).set_axis(pd.Index(labels))
    source = Source(NearestNeighbors(n_neighbors=2).fit(frame), made.frame(made.ROWS), None, frame)
    got = answered(source, tmp_path, made.ROWS.tolist())
    checked(got, made.ROWS, made.POINTS, labels, 2)
    output = got["manifest"]["signature"]["outputs"][0]
    assert output == {"name": "prediction", "type": kind, "shape": [-1, 2]}
    golden = json.loads((tmp_path / "near/1/golden.json").read_bytes())
    assert set(map(type, golden["answers"]["prediction"][0])) == {int if kind == "int64" else str}
    assert sorted(got["manifest"]["files"]) == [
        "background.json", "golden.json", "items.json", "model.onnx",
    ]  # fmt: skip


def test_as_many_as_there_are_points(tmp_path: Path) -> None:
    points = np.random.default_rng(3).normal(size=(6, 2))
    rows = np.random.default_rng(4).normal(size=(25, 2))
    got = answered(
        Source(NearestNeighbors(n_neighbors=6).fit(points), rows), tmp_path, rows[:3].tolist()
    )
    checked(got, rows[:3], points, range(6), 6)
    assert got["manifest"]["graph"]["k"] == {"default": 6, "most": 6}
    assert got["manifest"]["parity"]["k"] == [6, 1, 2]


@pytest.mark.parametrize(
    ("k", "others"),
    [((5, 100), [1, 100]), ((1, 100), [100, 2]), ((100, 100), [1, 2]), ((1, 2), [2]), ((1, 1), [])],
)
def test_two_other_numbers_are_compared(k: tuple[int, int], others: list[int]) -> None:
    assert other_counts(K(*k)) == others


def test_more_than_a_hundred_where_the_estimator_has_more(tmp_path: Path) -> None:
    model = NearestNeighbors(n_neighbors=120).fit(made.POINTS)
    got = answered(Source(model, made.ROWS), tmp_path, made.ROWS[:2].tolist())
    checked(got, made.ROWS[:2], made.POINTS, range(150), 120)
    assert got["manifest"]["graph"]["k"] == {"default": 120, "most": 120}


def wrong(change: Any) -> Any:
    """A converter whose answer differs from what it should be."""

    def convert(graph: Graph, fitted: Any, table: Table) -> Outputs:
        outputs = dict(nearest.nearest(graph, fitted, table))
        made: Outputs = change(graph, fitted, outputs)
        return made

    return convert


def others_named(graph: Graph, fitted: Any, outputs: dict[str, Any]) -> Outputs:
    """Positions counted from the end."""
    last = len(fitted._fit_X) - 1
    return outputs | {"kneighbors": last - outputs["kneighbors"]}


def wrong_at_one(graph: Graph, fitted: Any, outputs: dict[str, Any]) -> Outputs:
    """The first position is another where one is asked for."""
    one = graph.tensor("k", "int64").equals(1).cast("int64")
    return outputs | {"kneighbors": outputs["kneighbors"] + one}


@pytest.mark.parametrize("change", [others_named, wrong_at_one])
def test_the_gate_refuses_other_neighbours(
    change: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry._own, NearestNeighbors, wrong(change))
    with pytest.raises(Refusal, match="prediction differs"):
        build(
            Source(NearestNeighbors(n_neighbors=3).fit(made.POINTS), made.ROWS),
            "n",
            tmp_path,
            quiet,
        )


def test_the_certificate_says_what_was_compared(tmp_path: Path) -> None:
    model = NearestNeighbors(n_neighbors=3).fit(made.POINTS)
    built = build(Source(model, made.POINTS[:20]), "near", tmp_path, quiet)
    lines = list(certificate_lines("near", 1, built.manifest))
    tied = built.manifest["parity"]["tied_rows"]
    assert "  nearest     3 compared, and 1 and 100 as a request may ask for" in lines
    assert f"  ties        {tied} rows where equally near ones may come in another order" in lines
    assert not [line for line in lines if line.startswith("  prediction")]


def test_a_transformer_stays_one(tmp_path: Path) -> None:
    model = make_pipeline(StandardScaler(), KNeighborsTransformer(n_neighbors=2)).fit(made.POINTS)
    built = build(Source(model, made.ROWS), "columns", tmp_path, quiet)
    assert built.manifest["task"] == "transformation"
    assert "k" not in built.manifest["graph"]
