"""What alarms say in words is true of the very rows, counted by pandas."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from onnxlet.function.models.model import Model
from onnxlet.function.monitoring import sentences
from onnxlet.function.monitoring.sentences import number, percent
from tests.function.monitoring.models import answered, built, customers, report, reviews
from tests.function.monitoring.test_drift import folder, model

__all__ = ["folder", "model"]  # fixtures
SAID = re.compile(r"(.+) of recent values of (\w+) are (.+); at build (.+) were\.")
NEW = re.compile(r"(.+) of recent rows have a (\w+) that is (none .+); at build (.+) had\.")
GAPS = re.compile(r"(.+) of recent rows have no (\w+); at build (.+) had none\.")


def holds(values: pd.Series, said: str, known: list[Any]) -> pd.Series:
    """Whether each value is what is said of it; of missing ones it never is."""
    if said in ("true", "false"):
        return values == (said == "true")
    if quoted := re.fullmatch(r"'(.*)'", said):
        return values == quoted[1]
    if said.startswith("none of"):
        return ~values.isin(known) & values.notna()
    found = values.notna()
    for bound, edge in re.findall(r"(above|at most) ([\d,.-]+)", said):
        limit = float(edge.replace(",", ""))
        found &= values > limit if bound == "above" else values <= limit
    assert re.search("above|at most", said)
    return found


def as_counted(alarm: dict[str, Any], then: pd.DataFrame, now: pd.DataFrame) -> str:
    """The alarm's sentence, with shares that are counted anew."""
    name, said = alarm["column"], alarm["sentence"]
    if gaps := GAPS.fullmatch(said):
        assert gaps[2] == name
        shares = [percent(int(X[name].isna().sum()), len(X)) for X in (now, then)]
        return f"{shares[0]} of recent rows have no {name}; at build {shares[1]} had none."
    found = SAID.fullmatch(said) or NEW.fullmatch(said)
    assert found, said
    new, shares = not SAID.fullmatch(said), []
    for X in (now, then):
        hits = holds(X[name], found[3], then[name].unique().tolist())
        shares.append(percent(int(hits.sum()), len(X) if new else int(X[name].notna().sum())))
    if new:
        have = f"have a {name} that is {found[3]}"
        return f"{shares[0]} of recent rows {have}; at build {shares[1]} had."
    return f"{shares[0]} of recent values of {name} are {found[3]}; at build {shares[1]} were."


CHANGES: dict[str, Any] = {
    "age": lambda X: X.assign(age=X["age"] * 12),
    "older": lambda X: X.assign(age=X["age"] + 4),
    "income": lambda X: X.assign(income=X["income"] * 0.8),
    "gaps": lambda X: X.assign(income=X["income"].where(X.index % 3 > 0)),
    "no gaps": lambda X: X.assign(income=X["income"].fillna(25_000.5)),
    "visits": lambda X: X.assign(visits=X["visits"] // 2),
    "member": lambda X: X.assign(member=True),
    "plan": lambda X: X.assign(plan=np.where(X.index % 4 > 0, "pro", X["plan"])),
    "unseen": lambda X: X.assign(region=np.where(X.index % 9 > 0, X["region"], "Mars")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_sentence_is_true_of_the_rows(model: Model, change: str) -> None:
    then = customers()[0][:3000]
    now = CHANGES[change](customers(2000, seed=9)[0])

    alarms = [
        each for each in report(model, answered(model, now))["alarms"] if "output" not in each
    ]

    assert alarms
    for alarm in alarms:
        assert alarm["sentence"] == as_counted(alarm, then, now)
    assert not any("Mars" in alarm["sentence"] for alarm in alarms)  # it is the client's


def test_the_words(model: Model) -> None:
    X = customers(2000, seed=9)[0]
    X["age"], X["plan"] = X["age"] * 12, "pro"
    X["region"] = np.where(X.index % 9 > 0, X["region"], "Mars")

    alarms = report(model, answered(model, X))["alarms"]

    said = {(each["column"], each["statistic"]): each["sentence"] for each in alarms}
    assert said["age", "Kolmogorov-Smirnov"] == (
        "100 % of recent values of age are above 76.5; at build 1 % were."
    )
    assert said["plan", "chi-square"] == (
        "100 % of recent values of plan are 'pro'; at build 10.8 % were."
    )
    assert said["region", "unseen"] == (
        "11.2 % of recent rows have a region that is none of the 12 counted at build; "
        "at build 0 % had."
    )
    assert said["prediction", "chi-square"] == (
        "100 % of recent answers are 'leaves'; at build 61.1 % were."
    )
    assert re.fullmatch(
        r"\d\S* % of recent values of confidence are .*; at build \S+ % were\.",
        said["probabilities", "Kolmogorov-Smirnov"],
    )


def test_of_texts(tmp_path: Path) -> None:
    made = built(reviews(), tmp_path)
    texts = pd.DataFrame({"x0": ["quux corge"] * 300})

    alarms = report(made, answered(made, texts))["alarms"]

    said = {(each["measure"], each["statistic"]): each["sentence"] for each in alarms}
    assert re.fullmatch(
        r"100 % of recent lengths of \w+ are at most \d+; at build 1\d(\.\d)? % were\.",
        said["length", "Kolmogorov-Smirnov"],
    )
    assert "of recent shares of unknown tokens in " in said["unknown_tokens", "Kolmogorov-Smirnov"]


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 0, "0 %"),
        (0, 9, "0 %"),
        (1, 9999, "less than 0.1 %"),
        (9998, 9999, "more than 99.9 %"),
        (9, 9, "100 %"),
        (1, 3, "33.3 %"),
        (1, 2, "50 %"),
    ],
)
def test_only_none_is_0_percent_and_only_all_are_100(part: int, whole: int, text: str) -> None:
    assert percent(part, whole) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (671.0, "671"),
        (670.9583333, "670.958"),
        (1234567.25, "1,234,567"),
        (-0.5, "-0.5"),
        (0.0, "0"),
        (0.00001234, "1.234e-05"),
        (0.000123456, "0.000123456"),
        (3e20, "3e+20"),
    ],
)
def test_numbers_are_written_to_be_read(value: float, text: str) -> None:
    assert number(value) == text


def test_long_names_are_cut() -> None:
    entry = {"column": "x" * 10_000, "measure": "value", "categories": ["y" * 80]}
    counts = np.array([5, 95, 0])
    index = sentences.of_feature(
        "population stability index", entry, "string", counts, counts[[1, 0, 2]]
    )
    assert len(index) < 250
    assert index.endswith("yyy'; at build 5 % were.")
    unseen = sentences.of_feature("unseen", entry, "string", counts, counts[[1, 0, 2]])
    assert unseen.startswith("5 % of recent rows have a xxx")
    assert unseen.endswith(" is not the one counted at build; at build 95 % had.")
