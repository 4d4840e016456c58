"""Vectorisers of text in the graph, against scikit-learn's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.tree import DecisionTreeClassifier

from onnxlet.convert.converters.registry import converters
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Unsupported
from onnxlet.convert.to_onnx import root_table
from onnxlet.function.inputs.columns import Column
from tests.convert.exactness import answers, assert_exact, expected

TRAINING = [
    "a good movie, a good cast and a great ending",
    "bad bad BAD: the worst ending of all",
    "Η ταινία ΟΔΥΣΣΕΥΣ ήταν καλή, η Οδύσσεια καλύτερη",
    "İstanbul'da geçen IŞIKLI bir film, ılık ve iyi",
    "这部电影 真的 很好 很好",
    "Crème brûlée and naïve café scenes",
    "not good, not bad 🦙 just a llama 🦙🦙",
    "well-known, over-long, 3.14 out of 10",
]
OTHER = [
    "",
    " \t\n  ",
    "nothing known here: zzz",
    "GOOD good Movie MOVIE movie",
    "οδυσσευς ΚΑΛΉ ὀδυσσεύς",
    "istanbul i̇stanbul İSTANBUL ISIK",
    "很好 电影",
    "cafe\u0301 CAFÉ ﬁlm ½ \u00a0 naive\u2028cafe",
    "🦙 👩‍👩‍👧",
    "good " * 300,
]
ROWS = TRAINING + OTHER
LABELS = ["pos", "neg", "pos", "pos", "pos", "neg", "neg", "neg"]

VECTORISERS = [
    CountVectorizer(),
    CountVectorizer(lowercase=False, stop_words=["a", "the", "GOOD"], ngram_range=(1, 3)),
    CountVectorizer(binary=True, dtype=np.uint8, max_features=12),
    CountVectorizer(dtype=bool, min_df=2),
    CountVectorizer(dtype=np.float32, max_df=0.5, strip_accents="unicode"),
    CountVectorizer(vocabulary={"movie": 1, "good": 0, "İ": 2}),
    CountVectorizer(strip_accents="ascii", **{"token_pattern": r"(\w)\w*"}),
    CountVectorizer(tokenizer=str.split, token_pattern=None),
    CountVectorizer(analyzer="char", ngram_range=(1, 3)),
    CountVectorizer(analyzer="char", tokenizer=str.upper, token_pattern=None),
    TfidfVectorizer(),
    TfidfVectorizer(stop_words="english", ngram_range=(1, 2), sublinear_tf=True),
    TfidfVectorizer(norm="l1", smooth_idf=False),
    TfidfVectorizer(norm=None, use_idf=False, sublinear_tf=True),
    TfidfVectorizer(norm=None, binary=True),
    TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), strip_accents="unicode"),
    HashingVectorizer(n_features=16),
    HashingVectorizer(n_features=16, norm="l1", ngram_range=(1, 2)),
    HashingVectorizer(n_features=3, binary=True, norm="l2"),
    HashingVectorizer(n_features=3, dtype=bool, norm=None),
    HashingVectorizer(n_features=50, alternate_sign=False, dtype=np.int64, stop_words="english"),
    HashingVectorizer(n_features=50, analyzer="char", ngram_range=(2, 3), lowercase=False),
    make_pipeline(CountVectorizer(), TfidfTransformer(sublinear_tf=True)),
    make_pipeline(HashingVectorizer(n_features=64, norm=None), TfidfTransformer(norm="l1")),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("vectoriser", VECTORISERS, ids=str)
def test_counts_and_weights_are_those_of_scikit_learn(vectoriser: Any) -> None:
    vectoriser.fit(TRAINING)

    assert_exact(vectoriser, ROWS, methods=["transform"], tolerance=1e-14)
    assert_exact(vectoriser, ROWS, methods=["transform"], precision="float32", tolerance=1e-6)
    assert_exact(vectoriser, [""], methods=["transform"])


@pytest.mark.parametrize("norm", ["l1", "l2", None])
def test_single_precision_is_rounded_as_scikit_learn_rounds_it(norm: Any) -> None:
    vectoriser = TfidfVectorizer(dtype=np.float32, norm=norm).fit(TRAINING)

    got = answers(vectoriser, ROWS, ["transform"])["transform"]

    assert np.array_equal(got, expected(vectoriser, ROWS, "transform"))


@pytest.mark.parametrize("transformer", [TfidfTransformer(), TfidfTransformer(sublinear_tf=True)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_counts_that_somebody_else_made_are_weighed(transformer: Any, dtype: Any) -> None:
    counts = np.random.default_rng(0).poisson(0.7, (40, 6)).astype(dtype)
    counts[0] = 0
    transformer.fit(counts)

    assert_exact(transformer, counts)


CLASSIFIERS = [
    make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression()),
    make_pipeline(HashingVectorizer(), LogisticRegression()),
    make_pipeline(CountVectorizer(), TfidfTransformer(), MultinomialNB()),
    make_pipeline(CountVectorizer(), DecisionTreeClassifier(random_state=0)),
    make_pipeline(
        make_union(TfidfVectorizer(), CountVectorizer(analyzer="char"), CountVectorizer()),
        LogisticRegression(max_iter=500),
    ),
    make_pipeline(
        FeatureUnion(
            [("words", CountVectorizer()), ("characters", TfidfVectorizer(analyzer="char"))],
            transformer_weights={"words": 0.5},
        ),
        LogisticRegression(max_iter=500),
    ),
]


@pytest.mark.long
@pytest.mark.parametrize("pipeline", CLASSIFIERS, ids=str)
def test_whatever_follows_is_given_the_counts(pipeline: Any) -> None:
    assert_exact(pipeline.fit(TRAINING, LABELS), ROWS)


@pytest.mark.parametrize("columns", ["text", 0])
def test_a_column_of_text_beside_others(columns: Any) -> None:
    X = pd.DataFrame({"text": ROWS, "kind": list("abcabcabcabcabcabc"), "size": range(18)})
    by_column = ColumnTransformer(
        [("text", TfidfVectorizer(), columns), ("size", "passthrough", ["size"])]
    )
    pipeline = make_pipeline(by_column, Ridge()).fit(X, np.arange(18) % 5)

    assert_exact(pipeline, X)
    assert_exact(by_column, X, methods=["transform"])


class Flat(TransformerMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """The one column of a table as a list of texts."""

    def fit(self, X: Any, y: Any = None) -> Flat:
        self.n_features_in_ = 1
        return self

    def transform(self, X: Any) -> Any:
        return np.asarray(X).ravel()


def unchanged(graph: Graph, fitted: Any, table: Table) -> Outputs:
    return {"transform": table}


@pytest.fixture
def flat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxlet.convert.converters.registry._own", {Flat: unchanged})


GAPS = [
    [SimpleImputer(strategy="constant", fill_value="")],
    [SimpleImputer(strategy="constant", fill_value="a good gap")],
    [SimpleImputer(strategy="most_frequent")],
    [
        SimpleImputer(strategy="constant", fill_value="?"),
        SimpleImputer(missing_values="?", strategy="constant", fill_value="great"),
    ],
]


@pytest.mark.usefixtures("flat")
@pytest.mark.parametrize("imputers", GAPS)
def test_missing_text_is_filled_before_it_is_cut(imputers: list[Any]) -> None:
    texts = [*TRAINING, None, "", "?", TRAINING[0]]
    X = pd.DataFrame({"text": texts}, dtype=object).replace({None: np.nan})
    pipeline = make_pipeline(*imputers, Flat(), CountVectorizer()).fit(X)

    assert_exact(pipeline, X, methods=["transform"])


@pytest.mark.usefixtures("flat")
def test_each_of_several_filled_columns_is_cut_from_its_own_text() -> None:
    X = pd.DataFrame({"title": TRAINING, "body": [*TRAINING[::-1][:-1], np.nan]}, dtype=object)
    words = make_pipeline(Flat(), CountVectorizer())
    pipeline = make_pipeline(
        SimpleImputer(strategy="most_frequent"),
        ColumnTransformer([("body", words, [1]), ("title", CountVectorizer(), 0)]),
    ).fit(X)

    assert_exact(pipeline, X, methods=["transform"])


def text_graph(estimator: Any, method: str) -> Graph:
    graph = Graph("float64", converters())
    table = root_table(graph, [Column("text", "string")], "columns")
    graph.finished([graph.call(estimator, table, method)])
    return graph


def test_vectorisers_that_agree_share_their_counts() -> None:
    both = make_union(CountVectorizer(), TfidfVectorizer(), CountVectorizer(binary=True))

    graph = text_graph(both.fit(TRAINING), "transform")

    assert len(graph.inputs) == 2


@pytest.mark.long
def test_nothing_as_wide_as_the_vocabulary_is_made_where_a_product_follows() -> None:
    pipeline = make_pipeline(HashingVectorizer(), LogisticRegression()).fit(TRAINING, LABELS)
    graph = Graph("float64", converters())
    table = root_table(graph, [Column("text", "string")], "columns")

    made = graph.finished([graph.call(pipeline, table, "predict_proba")])

    assert "ScatterElements" not in {node.op_type for node in made.graph.node}
    [entry] = graph.inputs
    assert {info.name for info in made.graph.input} == {entry["name"], entry["places"]}


def test_some_of_the_columns_stay_compact() -> None:
    vectoriser = CountVectorizer().fit(TRAINING)
    for indices in ([3, 1, 2], [0], [5, 5, 1]):
        graph = Graph("float64", converters())
        table = root_table(graph, [Column("text", "string")], "columns")
        [counts] = graph.transform(vectoriser, table).tensors
        taken = counts.take(indices)
        assert (taken.compact is None) == (len(set(indices)) < len(indices))


@pytest.mark.parametrize("indices", [[3, 1, 2], [0], list(range(9, 3, -1))])
def test_chosen_columns_are_those_that_were_chosen(
    indices: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Chosen(TransformerMixin, BaseEstimator):  # type: ignore[misc] # as above
        def fit(self, X: Any, y: Any = None) -> Chosen:
            self.n_features_in_ = X.shape[1]
            return self

        def transform(self, X: Any) -> Any:
            return X[:, indices]

    def choose(graph: Graph, fitted: Any, table: Table) -> Outputs:
        return {"transform": graph.matrix(table).take(indices)}

    monkeypatch.setattr("onnxlet.convert.converters.registry._own", {Chosen: choose})
    pipeline = make_pipeline(TfidfVectorizer(), Chosen(), LogisticRegression())

    assert_exact(pipeline.fit(TRAINING, LABELS), ROWS)
    assert_exact(pipeline[:-1], ROWS, methods=["transform"])


REFUSED = [
    (HashingVectorizer(strip_accents=str.strip), "its strip_accents is a Python function"),
    (
        CountVectorizer(**{"token_pattern": r"(a+)+b|\w+"}),
        r"its token_pattern '(a+)+b|\\w+' takes more",
    ),
    (CountVectorizer(ngram_range=(0, 2)), "ngram_range (0, 2) begins below 1"),
    (HashingVectorizer(ngram_range=(1, 21)), "ngram_range (1, 21): a long text would have too"),
    (CountVectorizer(dtype=np.uint8), "it counts in uint8, which can overflow"),
    (HashingVectorizer(dtype=np.uint64), "it counts in uint64, which can overflow"),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("vectoriser", "reason"), REFUSED, ids=[reason for _, reason in REFUSED])
def test_what_has_no_exact_conversion_is_refused(vectoriser: Any, reason: str) -> None:
    vectoriser.fit(["aa bb cc"])

    with pytest.raises(Unsupported) as caught:
        text_graph(vectoriser, "transform")

    assert f"step {type(vectoriser).__name__}: {reason}" in str(caught.value)
    assert caught.value.hint


def test_files_are_refused(tmp_path: Any) -> None:
    (tmp_path / "a.txt").write_text("a good movie")
    vectoriser = CountVectorizer(input="filename").fit([tmp_path / "a.txt"])

    with pytest.raises(Unsupported, match="input='filename'"):
        text_graph(vectoriser, "transform")


@pytest.mark.usefixtures("flat")
def test_text_that_another_step_has_changed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(graph: Graph, fitted: Any, table: Table) -> Outputs:
        return {"transform": graph.op("StringNormalizer", table.tensors[0])}

    monkeypatch.setattr("onnxlet.convert.converters.registry._own", {Flat: changed})
    pipeline = make_pipeline(Flat(), CountVectorizer()).fit(TRAINING)

    with pytest.raises(Unsupported, match="a step before it has changed") as caught:
        text_graph(pipeline, "transform")

    assert "SimpleImputer may fill it" in caught.value.hint


def test_numbers_and_several_columns_are_refused() -> None:
    vectoriser = CountVectorizer().fit(TRAINING)
    for columns in ([Column("x", "float64")], [Column("x", "string"), Column("y", "string")]):
        graph = Graph("float64", converters())
        with pytest.raises(Unsupported, match="not given one column of text"):
            graph.call(vectoriser, root_table(graph, columns, "columns"), "transform")
