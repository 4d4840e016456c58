"""Numbers in a .skops file that lead outside its arrays, and files that end the process."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.neighbors import KernelDensity, KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier
from skops import io

from onnxlet.convert.errors import SourceFailed
from onnxlet.convert.sources import skops_sandbox
from onnxlet.convert.sources.saved import load_saved
from onnxlet.convert.sources.skops_file import Malformed
from onnxlet.convert.sources.skops_sandbox import settle
from onnxlet.convert.sources.source import load_source
from tests.convert.helpers import invoked
from tests.convert.sources.hostile_skops import written

RANDOM = np.random.default_rng(0)
X = np.column_stack([RANDOM.normal(size=(80, 3)), RANDOM.integers(0, 4, 80)])
Y = (X[:, 0] > 0).astype(int) + (X[:, 3] > 1)
FAR = 10**15

MODELS = {
    "tree": DecisionTreeClassifier(random_state=0),
    "forest": RandomForestClassifier(3, random_state=0),
    "isolation": IsolationForest(n_estimators=3, random_state=0),
    "stages": GradientBoostingClassifier(n_estimators=2, random_state=0),
    "histograms": HistGradientBoostingClassifier(
        max_iter=2, min_samples_leaf=2, categorical_features=[3]
    ),
    "kd": KNeighborsClassifier(algorithm="kd_tree"),
    "ball": KernelDensity(algorithm="ball_tree"),
    "seuclidean": KNeighborsClassifier(
        algorithm="ball_tree", metric="seuclidean", metric_params={"V": np.ones(4)}
    ),
    "vectors": SVC(),
    "regression": SVR(),
    "by rows": SVC(kernel="precomputed"),
    "means": KMeans(3, n_init=1, random_state=0),
    "boosted": LGBMClassifier(n_estimators=2, min_child_samples=2, verbose=-1),
}


def fitted(name: str) -> Any:
    model = MODELS[name]
    model.fit(X @ X.T if name == "by rows" else X, Y)
    return io.loads(io.dumps(model), trusted=io.get_untrusted_types(data=io.dumps(model)))


def in_tree(tree: Any, field: str, value: Any, at: Any = 0) -> None:
    state = tree.__getstate__()
    state["nodes"][field][at] = value
    tree.__setstate__(state)


def in_search(tree: Any, position: int, change: Callable[[Any], Any]) -> None:
    """Of a KD or ball tree: data, idx_array, node_data, node_bounds, …, n_nodes, …, metric."""
    state = list(tree.__getstate__())
    made = change(np.array(state[position]))
    state[position] = state[position] if made is None else made
    tree.__setstate__(tuple(state))


def first(model: Any) -> Any:
    return model._predictors[0][0]


def put(array: Any, at: Any, value: Any) -> Any:
    array[at] = value
    return array


def wider(model: Any) -> None:
    """A tree of a hundred columns in an ensemble that takes rows of four."""
    other = DecisionTreeClassifier(random_state=0).fit(np.repeat(X, 25, axis=1)[:, ::-1], Y)
    model.estimators_[0] = other


def splits(model: Any) -> Any:
    return first(model).nodes["is_leaf"] == 0


def put_all(nodes: Any, field: str, value: Any) -> Any:
    return put(nodes[field], nodes["is_leaf"] == 0, value)


HOSTILE: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "a child far away": ("tree", lambda m: in_tree(m.tree_, "left_child", FAR)),
    "a child before": ("tree", lambda m: in_tree(m.tree_, "right_child", 0)),
    "a child of less than none": ("tree", lambda m: in_tree(m.tree_, "right_child", -7)),
    "half a leaf": ("tree", lambda m: in_tree(m.tree_, "left_child", -1)),
    "a column beyond": ("tree", lambda m: in_tree(m.tree_, "feature", 4)),
    "another width": ("tree", lambda m: setattr(m, "n_features_in_", 3)),
    "no width": ("tree", lambda m: delattr(m, "n_features_in_")),
    "a forest with a wider tree": ("forest", wider),
    "a forest without a width": ("forest", lambda m: delattr(m, "n_features_in_")),
    "an isolation forest that takes less": ("isolation", lambda m: setattr(m, "_max_features", 3)),
    "trees of fewer columns": (
        "isolation",
        lambda m: m.estimators_features_.__setitem__(0, np.array([0])),
    ),
    "more stages than answers": (
        "stages",
        lambda m: setattr(m, "estimators_", np.repeat(m.estimators_, 9, axis=1)),
    ),
    "an init of fewer classes": (
        "stages",
        lambda m: setattr(m, "init_", m.init_.fit(X, Y > 0)),
    ),
    "a stage's wider tree": ("stages", lambda m: wider_stage(m)),
    "a bin's child": ("histograms", lambda m: put_all(first(m).nodes, "left", 2**31)),
    "a bin's child before": ("histograms", lambda m: put_all(first(m).nodes, "right", 0)),
    "a bin's column": ("histograms", lambda m: put_all(first(m).nodes, "feature_idx", 4)),
    "no nodes": ("histograms", lambda m: setattr(first(m), "nodes", first(m).nodes[:0])),
    "a set of bits beyond": (
        "histograms",
        lambda m: (
            put_all(first(m).nodes, "is_categorical", 1),
            put_all(first(m).nodes, "bitset_idx", 10**6),
        ),
    ),
    "narrow sets of bits": (
        "histograms",
        lambda m: setattr(first(m), "raw_left_cat_bitsets", np.zeros((9, 1), np.uint32)),
    ),
    "a mapper of fewer columns": (
        "histograms",
        lambda m: setattr(m._bin_mapper, "is_categorical_", np.zeros(1, np.uint8)),
    ),
    "columns that are dropped before": (
        "histograms",
        lambda m: setattr(m._preprocessor, "transformers_", m._preprocessor.transformers_[:1]),
    ),
    "steps that are others": (
        "histograms",
        lambda m: setattr(
            m._preprocessor,
            "transformers_",
            [("a", StandardScaler().fit(X), [0, 1, 2, 3])],
        ),
    ),
    "a row beyond": ("kd", lambda m: in_search(m._tree, 1, lambda a: put(a, 0, 10**9))),
    "fewer rows": ("kd", lambda m: in_search(m._tree, 1, lambda a: a[:3].copy())),
    "a node's end": ("kd", lambda m: in_search(m._tree, 2, lambda a: put(a, 0, (0, FAR, 1, 1.0)))),
    "a node's start": (
        "kd",
        lambda m: in_search(m._tree, 2, lambda a: put(a, 0, (-FAR, 3, 1, 1.0))),
    ),
    "a leaf that is none": (
        "kd",
        lambda m: in_search(m._tree, 2, lambda a: put(a, -1, (0, 3, 0, 1.0))),
    ),
    "bounds of fewer nodes": ("kd", lambda m: in_search(m._tree, 3, lambda a: a[:, :1].copy())),
    "bounds of fewer columns": (
        "ball",
        lambda m: in_search(m.tree_, 3, lambda a: a[..., :1].copy()),
    ),
    "more nodes": ("ball", lambda m: in_search(m.tree_, 6, lambda n: int(n) + 100)),
    "fewer answers": ("kd", lambda m: setattr(m, "_y", m._y[:2])),
    "a metric of fewer columns": (
        "seuclidean",
        lambda m: m._tree.__getstate__()[11].__setstate__((2.0, np.ones(1), np.ones((1, 1)))),
    ),
    "counts of vectors": ("vectors", lambda m: put(m._n_support, 0, 10_000)),
    "negative counts": (
        "vectors",
        lambda m: (put(m._n_support, 0, m._n_support[:2].sum() + 50), put(m._n_support, 1, -50)),
    ),
    "fewer factors": ("vectors", lambda m: setattr(m, "_dual_coef_", m._dual_coef_[:1])),
    "fewer intercepts": ("vectors", lambda m: setattr(m, "_intercept_", m._intercept_[:1])),
    "narrower vectors": (
        "vectors",
        lambda m: setattr(m, "support_vectors_", m.support_vectors_[:, :1].copy()),
    ),
    "fewer classes": ("vectors", lambda m: setattr(m, "classes_", m.classes_[:2])),
    "too few probabilities": ("vectors", lambda m: setattr(m, "_probA", np.zeros(1))),
    "a regression's count": ("regression", lambda m: put(m._n_support, 0, 10_000)),
    "a row of the kernel beyond": ("by rows", lambda m: put(m.support_, 0, 10_000)),
    "narrower means": (
        "means",
        lambda m: setattr(m, "cluster_centers_", m.cluster_centers_[:, :1].copy()),
    ),
    "any width": (
        "boosted",
        lambda m: m._other_params.update(predict_disable_shape_check=True),
    ),
}


def wider_stage(model: Any) -> None:
    tree = DecisionTreeClassifier(random_state=0).fit(np.repeat(X, 25, axis=1)[:, ::-1], Y)
    model.estimators_[1, 0] = tree


@pytest.mark.parametrize("name", HOSTILE)
def test_numbers_that_lead_outside_are_refused(tmp_path: Path, name: str) -> None:
    kind, alter = HOSTILE[name]
    model = fitted(kind)
    alter(model)
    io.dump(Pipeline([("a", StandardScaler()), ("b", model)]), path_of(tmp_path))
    with pytest.raises(SourceFailed, match=r"can't be read: Malformed: the numbers in a \w+ lead"):
        load_saved(path_of(tmp_path), (), print)


def test_a_tree_of_fewer_nodes_than_it_says_is_refused() -> None:
    model = fitted("tree")
    model.tree_.__setstate__({**model.tree_.__getstate__(), "node_count": 10_000})
    with pytest.raises(Malformed, match="the numbers in a Tree lead outside"):
        settle(model)


def path_of(folder: Path) -> Path:
    return folder / "model.skops"


@pytest.mark.parametrize("name", MODELS)
def test_what_a_fit_has_made_is_read(tmp_path: Path, name: str) -> None:
    model = fitted(name)
    io.dump(model, path_of(tmp_path))
    again = load_saved(path_of(tmp_path), (), print)
    rows = X @ X.T if name == "by rows" else X
    asked = "score_samples" if name == "ball" else "predict"
    assert np.array_equal(getattr(again, asked)(rows), getattr(model, asked)(rows))


def test_a_sparse_matrix_with_indices_beyond_is_refused(tmp_path: Path) -> None:
    model = KNeighborsClassifier(3).fit(sparse.csr_matrix(X), Y)
    model._fit_X.indices[3] = 1000
    io.dump(model, path_of(tmp_path))
    with pytest.raises(SourceFailed, match="can't be read: ValueError"):
        load_saved(path_of(tmp_path), (), print)


def test_no_cache_is_written_and_no_thread_started_by_what_is_read(tmp_path: Path) -> None:
    model = Pipeline([("means", fitted("means"))], memory=str(tmp_path / "cache"))
    model.steps[0][1]._n_threads = 10**9
    forest = RandomForestClassifier(3).fit(X, Y).set_params(n_jobs=10**6)
    io.dump([model, forest], path_of(tmp_path))
    [model, forest] = load_saved(path_of(tmp_path), (), print)
    assert model.memory is None
    assert model.steps[0][1]._n_threads == 1
    assert forest.n_jobs is None


# what only a process of its own shows


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    pd.DataFrame(X, columns=list("abcd")).to_csv(tmp_path / "rows.csv", index=False)
    return tmp_path / "rows.csv"


def boosted(folder: Path, old: str, new: str) -> Path:
    """A booster whose text is altered in the file itself, each tree's size with it."""
    model = LGBMClassifier(n_estimators=2, min_child_samples=2, verbose=-1).fit(X, Y)
    io.dump(model, path_of(folder))
    archive = zipfile.ZipFile(path_of(folder))
    files = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(files.pop("schema.json"))
    handle = schema["content"]["content"]["_Booster"]["content"]["content"]["_handle"]
    text, count = re.subn(old, lambda found: new, json.loads(handle["content"]))
    assert count
    if "size" not in old:
        trees = re.split(r"^(?=Tree=)", text.partition("end of trees")[0], flags=re.M)[1:]
        sizes = " ".join(str(len(tree)) for tree in trees)
        text = re.sub(r"tree_sizes=.*", f"tree_sizes={sizes}", text)
    handle["content"] = json.dumps(text)
    return written(path_of(folder), schema, files)


TEXTS = {
    "more trees a turn": (r"num_tree_per_iteration=3", "num_tree_per_iteration=6"),
    "fewer classes": (r"(num_class|num_tree_per_iteration)=3", "num_class=2"),
    "an objective's classes": (r"num_class:3", "num_class:30"),
    "a child before": (r"left_child=1 ", "left_child=0 "),
    "a child beyond": (r"left_child=1 ", "left_child=9999 "),
    "a leaf beyond": (r" -\d+\n", " -9999\n"),
    "a column beyond": (r"split_feature=\d", "split_feature=9"),
    "a column before": (r"split_feature=\d", "split_feature=-9"),
    "no column": (r"max_feature_idx=3", "max_feature_idx=-5"),
    "a name twice": (r"num_cat=0", "num_cat=0\nnum_cat=0"),
    "another end of lines": (r"num_cat=0", "x=\rnum_cat=9"),
    "an end of the text": (r"num_cat=0", "num_cat=0\0"),
    "sets that are not there": (r"decision_type=\d", "decision_type=1"),
    "other sizes": (r"tree_sizes=\d", "tree_sizes=9"),
    "fewer values": (r"leaf_value=\S+ ", "leaf_value="),
    "more leaves": (r"num_leaves=", "num_leaves=99"),
    "leaves that are no number": (r"num_leaves=", "num_leaves=x"),
    "a value that is no number": (r"leaf_value=", "leaf_value=a "),
    "a threshold that is not there": (r"threshold=\S+ ", "threshold="),
    "no trees": (r"tree_sizes", "tree_size"),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_a_booster_s_text_is_refused_before_it_is_read(tmp_path: Path, name: str) -> None:
    """LightGBM ends the process for some; for others it writes beside its arrays."""
    path = boosted(tmp_path, *TEXTS[name])
    with pytest.raises(SourceFailed, match=r"Booster \(by what it holds\)|read: ValueError"):
        load_saved(path, (), print)


@pytest.mark.long
def test_what_divides_by_zero_in_c_is_refused(tmp_path: Path, rows: Path) -> None:
    hasher = HashingVectorizer(n_features=1)
    hasher.n_features = 0
    io.dump(hasher, path_of(tmp_path))
    rows.write_text("a column\nb\n")  # the names of a frame are what it goes through
    end = invoked(
        *("build", path_of(tmp_path), "--data", rows),
        *("--name", "m", "--models", tmp_path / "models"),
    )
    assert end.exit_code == 1
    assert (
        "'model.skops', read and asked for 20 rows in a process of its own, ends it by SIGFPE"
    ) in " ".join(end.stderr.split())
    assert not (tmp_path / "models" / "m").exists()


def load_source_or_refusal(path: Path, rows: Path) -> str:
    try:
        load_source(str(path), rows)
    except SourceFailed as refused:
        return refused.message
    return "read"


def test_a_file_that_does_not_end_is_refused(
    tmp_path: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(skops_sandbox, "PATIENCE", 0.01)
    io.dump(StandardScaler().fit(X), path_of(tmp_path))
    assert "does not answer within 0.01 seconds" in load_source_or_refusal(path_of(tmp_path), rows)


@pytest.mark.long
def test_a_file_that_needs_too_much_memory_is_refused(
    tmp_path: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(skops_sandbox, "MOST_MEMORY", 3 * 2**30)
    made = PolynomialFeatures(200).fit(X)
    io.dump(made, path_of(tmp_path))
    assert "needs more than 3.0 GiB" in load_source_or_refusal(path_of(tmp_path), rows)
