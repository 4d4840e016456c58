"""Functions of DataFrames, as people write them, against scikit-learn."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from onnxlet.convert.sources.source import Source
from tests.convert.converters.tracing.samples import FRAME, NAN, TEXTS, assert_traced
from tests.convert.exactness import assert_exact, assert_refused
from tests.convert.helpers import built

MEANS = pd.Series({"c": 1.5, "a": 2.0})


def ratios(X: Any) -> Any:
    X = X.copy()
    X["ratio"] = X["a"] / X["b"]
    X["high"] = (X["ratio"] > 1).astype(int)
    X["one"] = 1
    return X


def outliers(X: Any) -> Any:
    X = X.copy()
    X.loc[X["a"] > 5, "a"] = NAN
    X.loc[X["i"] > 2, "new"] = 1
    X.loc[X["i"] < -2, "new"] = X["a"]
    X.loc[:, "c"] = X["c"].clip(upper=50)
    X.iloc[:, 3] = 0.5
    X["b"] = X["b"].where(X["b"] > 0)
    X[["p", "q"]] = X[["a", "c"]] * 2
    return X.drop(columns=["flag", "other"])


def by_steps(X: Any) -> Any:
    X = X.copy()
    X.insert(1, "z", X.pop("d") * 2)
    del X["j"]
    X.columns = [f"{name}_" for name in X.columns]
    X.rename(columns={"a_": "A"}, inplace=True)
    X.fillna({"A": 7}, inplace=True)
    X.A = X.A + 1
    for name in X.columns[:2]:
        X[name + "log"] = np.log1p(X[name].abs())
    return X.filter(regex="log$|A|z_")


def statistics_of_rows(X: Any) -> Any:
    numbers = X[["a", "b", "c", "i"]]
    return pd.DataFrame(
        {
            "sum": numbers.sum(axis=1), "mean": numbers.mean(axis="columns"),
            "std": numbers.std(axis=1), "var": numbers.var(axis=1, ddof=0),
            "max": numbers.max(axis=1), "min": numbers.min(axis=1, skipna=False),
            "median": numbers.median(axis=1), "gaps": X.isna().sum(axis=1),
            "count": X.count(axis=1), "any": X[["flag", "other"]].any(axis=1),
            "all": X[["flag", "other"]].all(axis=1), "both": X[["flag", "other"]].sum(axis=1),
            "few": numbers.sum(axis=1, min_count=4), "product": numbers.prod(axis=1),
            "of flags": X[["flag", "other"]].mean(axis=1),
        }
    )  # fmt: skip


def by_function(X: Any) -> Any:
    return pd.DataFrame(
        {"sum": np.sum(X, axis=1), "mean": np.mean(X, axis=1), "std": np.std(X, axis=1)},
        index=X.index,
    )


def quotients_of_whole_numbers(X: Any) -> Any:
    return pd.DataFrame(
        {
            "a": X["i"] // 3, "b": X["i"] % -4, "c": X["i"] // X["j"], "d": X["i"] % X["j"],
            "e": X["a"] // 2.5, "f": X["i"] / X["j"], "g": X["i"] ** 3, "h": -X["i"] * X["j"],
            "k": X["i"].to_numpy() // (X["j"].to_numpy() - 1), "l": X["i"].floordiv(2),
        }
    )  # fmt: skip


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "ratios": ratios,
    "assign": lambda df: df.assign(
        bmi=df["a"] / (df["c"] / 100) ** 2, log=np.log1p(df["c"]), z=lambda d: d["bmi"] + 1
    ),
    "chosen": lambda X: X[["a", "i"]],
    "dropped": lambda X: X.drop(columns=["a", "b"]).drop("c", axis=1),
    "by position": lambda X: X.iloc[:, :2],
    "by name": lambda X: X.loc[:, ["a", "c"]],
    "from to": lambda X: X.loc[:, "b":"d"],
    "to_numpy": lambda X: X[["a", "i"]].to_numpy() * 2,
    "values": lambda X: X.values[:, :2].astype(float),
    "asarray": lambda X: np.asarray(X[["a", "i"]]) + 1,
    "floats": lambda X: X.astype(float),
    "dtypes": lambda X: X.astype({"i": float, "flag": int}),
    "filled": lambda X: X.fillna(0).fillna({"a": 1, "b": 2.5}),
    "clipped": lambda X: X[["a", "c"]].clip(lower=0, upper=10),
    "a flag": lambda X: (X["a"] > 3).astype(int).to_frame(),
    "gaps": lambda X: X["b"].isna().astype(int).to_frame("gap"),
    "of pandas": lambda X: pd.isnull(X[["a", "b"]]) | pd.notna(X[["c", "d"]].to_numpy()),
    "abs": lambda X: X[["a", "i"]].abs().round(1),
    "values replaced": lambda X: X[["a", "i", "j"]].replace({0: NAN, 1: 7}).replace(NAN, -1),
    "infinities replaced": lambda X: (X / 0).replace([np.inf, -np.inf], NAN),
    "replaced by column": lambda X: X.replace({"j": {0: 5, 2: 9}}),
    "mapped": lambda X: X["j"].map({0: 1.5, 1: 2}).to_frame(),
    "flags": lambda X: (X["flag"] & ~X["other"] | (X["a"] > 0) ^ X["flag"]).to_frame(),
    "flags added": lambda X: (X["flag"] + X["other"]).to_frame(),
    "flags times": lambda X: (X["flag"] * X["a"] - X["other"] * 2).to_frame(),
    "a cycle": lambda X: X.assign(
        sin=np.sin(2 * np.pi * X["i"] / 24), cos=np.cos(2 * np.pi * X["i"] / 24)
    ).drop(columns="i"),
    "cut": lambda X: pd.cut(X["a"], bins=[-np.inf, -5, 0, 5, np.inf], labels=False).to_frame(),
    "cut to the left": lambda X: pd.cut(X["i"], [-5, 0, 5], right=False, labels=False).to_frame(),
    "cut with the lowest": lambda X: (
        pd.cut(X["i"], [-5, 0, 5], labels=[10, 20], include_lowest=True).astype(float).to_frame()
    ),
    "log1p": np.log1p,
    "outliers": outliers,
    "by steps": by_steps,
    "by column": lambda X: X[["a", "c"]].div(X["c"], axis=0) - X[["a", "c"]].rsub(1),
    "by means": lambda X: (X[["a", "c"]] - MEANS) / MEANS + (1 - MEANS),
    "if a frame": lambda X: X[["a"]] if isinstance(X, pd.DataFrame) else X[:, :1],
    "if it has columns": lambda X: X[["a"]] if hasattr(X, "columns") else X[:, :1],
    "if a column is there": lambda X: X[["a"]] if "a" in X and "zz" not in X.columns else X,
    "concat": lambda X: pd.concat([X[["a"]], np.sqrt(X["c"]).rename("r"), X["i"]], axis=1),
    "of a dictionary": lambda X: pd.DataFrame({"q": X["a"] * 2, "k": 1}, index=X.index),
    "of an array": lambda X: pd.DataFrame(np.log1p(X[["c"]].values), columns=["l"], index=X.index),
    "apply": lambda X: X[["c"]].apply(np.log1p).join(X[["a"]].apply(lambda c: c.fillna(-1))),
    "where": lambda X: pd.DataFrame({"z": np.where(X["a"] > 0, X["a"], 0)}),
    "frame where": lambda X: X[["a", "c"]].where(X[["a", "c"]] > 0, 0),
    "masked": lambda X: X["a"].mask(X["other"], -1).to_frame(),
    "mask assigned": lambda X: X[["a", "c"]].mask(X["i"] > 0),
    "numbers": lambda X: X.select_dtypes("number").fillna(0),
    "others": lambda X: X.select_dtypes(exclude=np.number).astype(int),
    "filter": lambda X: X.filter(like="a").add_prefix("x_").add_suffix("_y"),
    "in a loop": lambda X: pd.concat([X[c].rename(c + "2") ** 2 for c in X if c in "ac"], axis=1),
    "items": lambda X: pd.DataFrame({name: column * 1.0 for name, column in X.items()}),
    "between": lambda X: X["a"].between(-3, 5, inclusive="left").astype(int).to_frame(),
    "isin": lambda X: X["i"].isin([1, 2, 3]).astype(float).to_frame(),
    "attributes": lambda X: (X.a * X.c).to_frame(),
    "by the name of a method": lambda X: X[["a", "c"]].agg("sum", axis=1).to_frame(),
    "transform": lambda X: X[["c"]].transform(np.sqrt).join(X[["a"]].transform(lambda s: s + 1)),
    "pipe": lambda X: X.pipe(ratios)[["ratio"]].eq(1).astype(int),
    "astype int": lambda X: (X["c"].fillna(0).astype(int) % 7).to_frame(),
    "combined": lambda X: X["a"].combine_first(X["c"]).fillna(X["d"]).to_frame(),
    "nansum": lambda X: np.nansum(X[["a", "b"]], axis=1).reshape(-1, 1),
    "in place": lambda X: X[["a"]].copy().__iadd__(1),
    "a column flat": lambda X: np.c_[X["a"], X["i"].values, np.maximum(X["a"], X["c"])],
    "whole numbers": quotients_of_whole_numbers,
    "rows": statistics_of_rows,
    "of an index": lambda X: pd.DataFrame(index=X.index).assign(a=X["a"] * 2, k=1),
    "a constant of an index": lambda X: pd.DataFrame({"k": 2.5}, index=X.index).join(X["a"]),
    "a Series of an index": lambda X: X.assign(k=pd.Series(2.5, index=X.index)),
    "by pandas' types": lambda X: X[[c for c in X if pd.api.types.is_integer_dtype(X[c])]],
    "by real numbers": lambda X: X[[c for c in X if pd.api.types.is_any_real_numeric_dtype(X[c])]],
    "by flags": lambda X: X[[c for c in X if pd.api.types.is_bool_dtype(X[c])]].astype(int),
    "by dtype": lambda X: X[[c for c in X if X[c].dtype.kind == "f"]],
    "no text": lambda X: X[[c for c in X if not pd.api.types.is_object_dtype(X[c])]],
    "rows by function": lambda X: by_function(X[["a", "i", "c"]]),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_a_function_of_a_frame(function: Callable[[Any], Any]) -> None:
    assert_traced(function, FRAME)


OF_TEXT: dict[str, Callable[[Any], Any]] = {
    "mapped": lambda X: X["t"].map({"yes": 1, "no": 0}).to_frame(),
    "filled and mapped": lambda X: X["t"].fillna("no").map({"yes": 1, "no": 0}).to_frame(),
    "equal": lambda X: (X["t"] == "yes").astype(int).to_frame(),
    "unequal": lambda X: (X["t"] != "yes").astype(int).to_frame(),
    "equal columns": lambda X: ((X["t"] == X["t"]) & (X["t"] != X["u"])).to_frame(),
    "starts, or is missing": lambda X: X["t"].str.startswith("y", na=True).to_frame(),
    "one of": lambda X: X["t"].isin(["yes", "no"]).astype(int).to_frame(),
    "missing": lambda X: X["t"].isna().astype(int).to_frame(),
    "where": lambda X: np.where(X["t"] == "yes", X["a"], 0).reshape(-1, 1),
    "replaced": lambda X: X["u"].replace({"x": 1, "y": 0, "x.y": 2, "a\nx": 3}).to_frame(),
    "contains": lambda X: X["t"].str.contains("e|ö", na=False).astype(int).to_frame(),
    "contains as it is": lambda X: X["u"].str.contains("x.", regex=False).to_frame(),
    "starts": lambda X: X["u"].str.startswith("x").astype(int).to_frame(),
    "ends": lambda X: X["t"].str.endswith(("s", "o"), na=False).astype(int).to_frame(),
    "dropped": lambda X: X.drop(columns=["t", "u"]),
    "numbers": lambda X: X.select_dtypes(include=np.number),
}


@pytest.mark.parametrize("function", OF_TEXT.values(), ids=OF_TEXT)
def test_a_function_of_text(function: Callable[[Any], Any]) -> None:
    assert_traced(function, TEXTS)


MADE: dict[str, Callable[[Any], Any]] = {
    "groups": lambda X: X[[]].assign(g=np.where(X["i"] > 3, "high", "low")),
    "nested groups": lambda X: pd.DataFrame(
        {"g": np.where(X["i"] < 0, "a", np.where(X["i"] < 3, "b", X["u"]))}
    ),
    "crossed": lambda X: (X["t"].fillna("") + "_" + X["u"]).to_frame(),
    "crossed with whole numbers": lambda X: (X["u"] + X["i"].astype(str)).to_frame(),
    "bins": lambda X: pd.cut(X["i"], [-10, 0, 10], labels=["low", "high"]).to_frame(),
    "mapped": lambda X: X["u"].map({"x": "one", "y": "two"}).fillna("other").to_frame(),
    "replaced": lambda X: X[["t", "u"]].fillna("?").replace({"yes": "ja", "x": "X"}),
    "written to": lambda X: X[["u"]].assign(u=X["u"].mask(X["i"] > 2, "big")),
    "flags": lambda X: (X["i"] > 0).astype(str).to_frame(),
    "apply": lambda X: X["i"].apply(lambda v: "few" if v < 2 else "many").to_frame(),
}


@pytest.mark.parametrize("function", MADE.values(), ids=MADE)
def test_text_that_a_function_makes(function: Callable[[Any], Any]) -> None:
    model = make_pipeline(FunctionTransformer(function), OneHotEncoder(handle_unknown="ignore"))

    assert_exact(model.fit(TEXTS), TEXTS)


def test_later_steps_find_the_columns_by_name() -> None:
    columns = make_column_transformer(
        (StandardScaler(), ["c", "ratio"]), (OneHotEncoder(), ["high"]), (SimpleImputer(), ["b"])
    )
    X = FRAME.assign(a=FRAME["a"].fillna(1), c=FRAME["c"].fillna(2)).replace(0.0, 0.5)
    model = make_pipeline(FunctionTransformer(ratios), columns)

    assert_exact(model.fit(X), X)
    assert_exact(model, X[X.columns[::-1]])


def test_names_by_feature_names_out() -> None:
    made = FunctionTransformer(
        lambda X: X.rename(columns=str.upper),
        feature_names_out=lambda _, names: [name.upper() for name in names],
    )
    chosen = make_column_transformer(("passthrough", ["C"]))
    arrays = FunctionTransformer(
        lambda X: X.to_numpy() * 2, feature_names_out="one-to-one"
    ).set_output(transform="pandas")

    for first, then in (
        (made, chosen),
        (arrays, make_column_transformer((SimpleImputer(), ["c"]))),
    ):
        model = make_pipeline(first, then)
        assert_exact(model.fit(FRAME[["a", "c"]]), FRAME[["a", "c"]])


def test_a_frame_that_a_transformer_makes() -> None:
    filled = SimpleImputer().set_output(transform="pandas")
    model = make_pipeline(
        filled, FunctionTransformer(lambda X: X.assign(z=X["a"] * X["c"])), Ridge()
    )
    numbers = FRAME[["a", "b", "c"]].clip(-1e3, 1e3)

    assert_exact(model.fit(numbers, np.arange(60)), numbers)


def test_a_single_column_is_a_series() -> None:
    columns = make_column_transformer(
        (FunctionTransformer(lambda s: s.to_frame() ** 2), "a"),
        (make_pipeline(FunctionTransformer(lambda s: s.fillna(0)),
                       FunctionTransformer(lambda s: s.to_frame("b").abs())), "b"),
    )  # fmt: skip
    assert_exact(columns.fit(FRAME), FRAME)

    arrays = make_column_transformer((FunctionTransformer(lambda x: x.reshape(-1, 1) * 2), 1))
    numbers = FRAME[["a", "c"]].to_numpy()
    assert_exact(arrays.fit(numbers), numbers)


def test_what_a_part_writes_to_its_columns_no_other_part_sees() -> None:
    def written(X: Any) -> Any:
        X = X.copy()
        X["a"] = 0.0
        return X

    union = make_union(
        FunctionTransformer(written), FunctionTransformer(lambda X: X[["a"]]), "passthrough"
    )
    assert_exact(union.fit(FRAME[["a", "c"]]), FRAME[["a", "c"]])


REFUSED: list[tuple[Callable[[Any], Any], str]] = [
    (lambda X: X.fillna(X.mean()), r"mean\(\) goes over the rows"),
    (lambda X: (X["a"] / X["a"].max()).to_frame(), r"max\(\) goes over the rows"),
    (lambda X: X["a"].shift().to_frame(), ".shift depends on which rows"),
    (lambda X: X.groupby("i").transform("mean"), ".groupby depends on which rows"),
    (lambda X: X[X["a"] > 0], "takes some rows"),
    (lambda X: X.loc[X["a"] > 0, "c"], "takes some rows"),
    (lambda X: X.dropna(), ".dropna depends on which rows"),
    (lambda X: pd.get_dummies(X["i"]), "pd.get_dummies makes columns of the values"),
    (lambda X: pd.cut(X["a"], 3, labels=False), "depends on which rows"),
    (lambda X: pd.qcut(X["a"], 3, labels=False), "pd.qcut makes bins of the values"),
    (lambda X: X.assign(a=X["a"].fillna(0, inplace=True)), "fillna with inplace=True"),
    (lambda X: X.assign(i=X["i"].astype("category").cat.codes), r"a Series's \.cat has no"),
    (lambda X: pd.DataFrame(index=X.index).assign(k=1), "no other column has rows"),
    (lambda X: X.assign(k=[0 for _ in X.index]), "goes through the index of the rows"),
    (lambda X: X.assign(k=np.zeros(len(X.index))), "computes with the number of rows"),
    (lambda X: X.assign(k=X.index.to_numpy()), "the index's .to_numpy has no conversion"),
    (lambda X: X["a"] if X["a"].iloc[0] > 0 else X["c"], "iloc has no conversion"),
    (lambda X: X.iloc[:5], "takes some rows"),
    (lambda X: X.eval("a / c"), "a DataFrame's .eval has no conversion"),
    (lambda X: X["nothing"], "KeyError: 'nothing'"),
    (lambda X: X.a_typo, "AttributeError.*a_typo"),
    (lambda X: X["i"].map(lambda v: {1: 2}.get(v, 0)), "in a dictionary or a set"),
    (lambda X: X["a"].map(lambda v: 0 if type(v) == float else 1), "compares the type"),  # noqa: E721
    (lambda X: X * 2 if type(X) == pd.DataFrame else X, "compares the type"),  # noqa: E721
    (lambda X: X.assign(now=pd.Timestamp.now().year), "asks for the time"),
    (lambda X: [X["a"]], "returns a list"),
    (lambda X: X[["a", "c"]] * X["a"], "one column and several"),
    (lambda X: X[["a", "c"]] + X[["c", "a"]], "columns are not the same"),
    (lambda X: X["a"].map(lambda v: [v]), "returns a list"),
]


@pytest.mark.parametrize(("function", "reason"), REFUSED)
def test_a_function_that_cannot_be_traced(function: Callable[[Any], Any], reason: str) -> None:
    fitted = FunctionTransformer().fit(FRAME).set_params(func=function)

    assert_refused(fitted, FRAME, reason)


def test_numbers_are_chosen_among_columns_that_the_model_does_without(tmp_path: Path) -> None:
    X = TEXTS[["t", "i"]].rename(columns={"i": "a"}).fillna("")
    X = X.assign(when=pd.date_range("2024-01-01", periods=len(X)))
    chosen: list[Callable[[Any], Any]] = [
        lambda X: X[[c for c in X.columns if pd.api.types.is_numeric_dtype(X[c])]],
        lambda X: X.select_dtypes("number"),
        lambda X: X[[c for c in X if not pd.api.types.is_datetime64_any_dtype(X[c])]][["a"]],
    ]
    for function in chosen:
        model = make_pipeline(FunctionTransformer(function), Ridge()).fit(X, FRAME["i"])
        result = built(Source(model, X), tmp_path)  # which compares the answers
        inputs = result.manifest["signature"]["inputs"]
        assert [each["name"] for each in inputs if each.get("required", True)] == ["a"]


OF_TEXT_REFUSED: list[tuple[Callable[[Any], Any], str]] = [
    (lambda X: X["t"].str.normalize("NFC").to_frame(), "text changed by .str.normalize"),
    (lambda X: (X["t"].fillna("") + X["u"]).str.lower().to_frame(), "a step before has changed"),
    (lambda X: X["t"].str.split("e", expand=True), "as many columns as the rows need"),
    (lambda X: X["t"].str.split().str.join("-").to_frame(), "lists of texts have no .join"),
    (lambda X: X["t"].str.extract("(a)(b)"), "2 groups"),
    (lambda X: X["t"].str.contains("(a+)+$").to_frame(), r"the pattern .* takes more than"),
    (lambda X: X["t"].str.count(re.compile("a")).to_frame(), "what is no text"),
    (lambda X: X["t"].str.replace("a", len).to_frame(), "other than two texts"),
    (lambda X: np.where(X["i"] > 0, X["t"], 0), "mixes text and numbers"),
    (lambda X: np.log1p(X), "computes with text"),
    (lambda X: (X["a"].astype(str)).to_frame(), "digits of fractions"),
    (lambda X: X[["a"]] if X["t"].dtype == object else X, "the dtype of text, which is another"),
    (lambda X: X[[c for c in X if not pd.api.types.is_object_dtype(X[c])]], "is another in each"),
    (lambda X: X[["a"]] if pd.api.types.is_numeric_dtype(X) else X, "of other than one column"),
]


@pytest.mark.parametrize(("function", "reason"), OF_TEXT_REFUSED)
def test_what_has_no_equal_for_text(function: Callable[[Any], Any], reason: str) -> None:
    fitted = FunctionTransformer().fit(TEXTS).set_params(func=function)

    assert_refused(fitted, TEXTS, reason)
