"""A program for the Python of AutoGluon: it keeps what feature generators are, and what they make.

`python -W ignore -I keep_features.py` fits AutoGluon's own generators on small tables, each of one
kind of columns, and writes for each `features/KIND.json`: the description, other rows, and what
AutoGluon makes of these. Run it anew where `features_there.py` says more than it did.
"""

from __future__ import annotations

import importlib.util
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from autogluon.features.generators import AutoMLPipelineFeatureGenerator
from sklearn.feature_extraction.text import CountVectorizer

HERE = Path(__file__).resolve().parent
THERE = HERE.parents[2] / "convert" / "autogluon" / "features_there.py"
WORDS = (
    "fine",
    "good!",
    "Bad?",
    "late",
    "NEW York",
    "cheap 9",
    "50 %",
    "née",
    "so-so",
    "x_y",
    "ﬁt",
)
COUNT = 120


def choice(values: Any, shares: Any = None, seed: int = 0, count: int = COUNT) -> Any:
    """A column of objects, drawn of some values."""
    drawn = np.random.default_rng(seed).choice(len(values), count, p=shares)
    made = np.empty(count, dtype=object)
    made[:] = [values[index] for index in drawn]
    return made


def numbers() -> tuple[Any, Any]:
    """Floats with gaps, whole numbers, and few bits; in others fractions, gaps, large numbers."""
    draw = np.random.default_rng(1)
    train = pd.DataFrame({
        "float": draw.normal(0, 5, COUNT), "gaps": choice([1.5, np.nan, 2.25, 7.0]).astype(float),
        "single": draw.normal(0, 5, COUNT).astype(np.float32), "whole": draw.integers(0, 99, COUNT),
        "small": draw.integers(-9, 99, COUNT).astype(np.int8), "useless": np.ones(COUNT),
        "again": np.arange(COUNT) * 2, "twice": np.arange(COUNT) * 2,
    })  # fmt: skip
    rows = pd.DataFrame({
        "float": [0.1, np.nan, np.inf, -1e300, 3.0], "gaps": [np.nan, 1.0, 0.25, 1e-9, 7.0],
        "single": [0.1, 16777217.0, np.nan, 1e-30, 2.0], "whole": [1.9, -1.9, np.nan, 1e9, 0.0],
        "small": [1, -9, 130, 99, -130], "again": [2**53 + 1, 5, -4, 0, 2],
        "twice": [1, 2, 3, 4, 5], "useless": 0.0,
    })  # fmt: skip
    return train, rows


def booleans() -> tuple[Any, Any]:
    """Columns of two values, and what else may come."""
    train = pd.DataFrame({
        "flag": choice([True, False], seed=1), "bits": choice([0, 1], seed=2).astype(int),
        "answer": choice(["no", "yes"], seed=3), "given": choice([None, "yes"], seed=4),
        "number": choice([np.nan, 2.5], seed=5).astype(float), "three": choice([True, False, None]),
    })  # fmt: skip
    train["flag"] = train["flag"].astype(bool)
    rows = pd.DataFrame({
        "flag": [True, False, True, False], "bits": [0.0, 1.0, np.nan, 2.0],
        "answer": ["yes", "no", None, "perhaps"], "given": ["yes", None, "no", ""],
        "number": [2.5, np.nan, 1.0, 0.0], "three": [True, False, None, True],
    })  # fmt: skip
    return train, rows


def categories() -> tuple[Any, Any]:
    """Texts with gaps, rare and unseen ones; pandas' categoricals of text and of numbers."""
    towns = ["Bern", "Chur", "Genf", "Zug", None, ""]
    train = pd.DataFrame({
        "town": choice(towns[:5], seed=1), "empty": choice(towns, seed=2),
        "whole": choice(["b", "a", "c"], seed=3), "rare": choice(["x", "y", "z"], seed=4),
        "kind": pd.Categorical(choice(["low", "mid", None, "top"], seed=5), ["low", "mid", "top"]),
        "zone": pd.Categorical(choice([7, 3, 5], seed=6).astype(int)),
    })  # fmt: skip
    train.loc[0, "rare"] = "only once"
    rows = pd.DataFrame({
        "town": ["Zug", None, "Rom", "", "Bern"], "empty": [None, "", "Chur", "chur", "Genf"],
        "whole": ["a", None, "", "d", "c"], "rare": ["only once", "x", "y", None, "z"],
        "kind": ["top", None, "high", "low", "mid"], "zone": [3.0, 7.0, np.nan, 4.0, 5.0],
    })  # fmt: skip
    return train, rows


def identifiers() -> tuple[Any, Any]:
    """Texts that are all different, which AutoGluon drops, beside others."""
    names = [f"K{number:04d}" for number in range(COUNT)]
    train = pd.DataFrame({
        "id": names, "number": np.arange(COUNT), "constant": "x", "pair": choice(["a", "b", "c"]),
        "copy": choice(["a", "b", "c"]),
    })  # fmt: skip
    rows = pd.DataFrame({"id": ["K0001", "new"], "number": [3, 999], "pair": ["a", "c"],
                         "copy": ["b", "c"], "constant": "x"})  # fmt: skip
    return train, rows


def dates() -> tuple[Any, Any]:
    """Dates as text in one form and in several, as pandas', with a zone; gaps."""
    when = pd.Timestamp("2019-11-30 22:10:05.25") + pd.to_timedelta(np.arange(COUNT) * 7.3, "D")
    forms = ("%Y-%m-%d", "%m/%d/%Y", "%d %B %Y %H:%M", "%Y-%m-%dT%H:%M:%S")
    train = pd.DataFrame({
        "day": when.strftime("%Y-%m-%d").astype(object), "moment": when,
        "mixed": [f"{moment:{forms[at % 4]}}" for at, moment in enumerate(when)],
        "zone": when.tz_localize("Europe/Zurich"),
        "offset": [f"{moment:%Y-%m-%dT%H:%M:%S+02:00}" for moment in when],
    })  # fmt: skip
    train.loc[::9, ["day", "mixed", "offset"]] = None
    train.loc[::7, ["moment", "zone"]] = pd.NaT
    rows = train.iloc[4:20].reset_index(drop=True)
    rows.loc[0, "mixed"], rows.loc[1, "day"] = "no date", "2024-02-29"
    rows.loc[2, "moment"] = pd.Timestamp("1969-12-31 23:59:59.999999")
    return train, rows


def texts() -> tuple[Any, Any]:
    """Texts whose symbols, letters and words are counted."""
    draw = np.random.default_rng(2)
    train = pd.DataFrame({"note": [" ".join(draw.choice(WORDS, 1 + at % 9)) for at in range(COUNT)],
                          "size": np.arange(COUNT) % 7})  # fmt: skip
    rows = pd.DataFrame({
        "note": ["good! fine, NEW York", None, "", "   ", "fine " * 300, "bad? Bad? BAD? 50 %",
                 "tab\tand\nline\u00a0x", "née ﬁt ß İ", "new york is fine and good", "9999"],
        "size": np.arange(10),
    })  # fmt: skip
    return train, rows


def two_texts() -> tuple[Any, Any]:
    """Two columns of text, whose words one vectorizer counts together."""
    train, rows = texts()
    train["title"] = train["note"].sample(frac=1, random_state=3).to_numpy()
    rows["title"] = rows["note"].to_numpy()[::-1]
    return train, rows


TABLES = (numbers, booleans, categories, identifiers, dates, texts, two_texts)


def cells(frame: Any) -> dict[str, Any]:
    """A table as JSON has it: of each column its cells, None for missing ones; dates as texts."""
    made = {}
    for name, column in frame.items():
        values = [v.isoformat() if isinstance(v, pd.Timestamp) else v for v in column.tolist()]
        gaps = column.isna().tolist()
        made[name] = [None if gap else value for value, gap in zip(values, gaps, strict=True)]
    return made


def written(value: Any, depth: int = 0) -> str:
    """JSON with a line for each column, feature and vectorizer."""
    if depth < 3 and isinstance(value, dict):
        lines = [f"{written(key)}: {written(each, depth + 1)}" for key, each in value.items()]
        return "{\n" + ",\n".join(lines) + "\n}"
    if depth < 3 and isinstance(value, list) and value and isinstance(value[0], (dict, list)):
        return "[\n" + ",\n".join(written(each, 3) for each in value) + "\n]"
    return json.dumps(value, ensure_ascii=False)


def main() -> None:
    """Fit, describe, transform and write."""
    spec: Any = importlib.util.spec_from_file_location("features_there", THERE)
    there = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(there)
    (HERE / "features").mkdir(exist_ok=True)
    for table in TABLES:
        train, rows = table()
        words = CountVectorizer(min_df=2, ngram_range=(1, 3), max_features=40, dtype=np.uint8)
        generator = AutoMLPipelineFeatureGenerator(vectorizer=words, verbosity=0)
        generator.fit_transform(train)
        made = generator.transform(rows.copy())
        for name in made.columns[made.dtypes == "category"]:
            made[name] = made[name].cat.codes.replace(-1, np.nan)
        kept = {
            "made_with": {"autogluon.features": version("autogluon.features")},
            "description": there.features_of(generator),
            "dtypes": {name: str(dtype) for name, dtype in rows.dtypes.items()},
            "rows": cells(rows),
            "features": cells(made),
        }
        file = HERE / "features" / f"{table.__name__}.json"
        file.write_text(written(kept) + "\n")


if __name__ == "__main__":
    main()
