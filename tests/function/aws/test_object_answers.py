"""Answers to objects are HTTP's, digit by digit: every task, both forms, bad rows among them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.estimators import every_task
from tests.function.aws.bucket import S3
from tests.function.aws.scoring import (
    ROWS,
    Number,
    Site,
    as_csv,
    as_lines,
    read_csv,
    read_lines,
)

NOT_OUTPUTS = ("model", "version", "classes", "errors", "error_count")
ODD = ["x", 1e400, None, True, [1], 1000000]


@pytest.fixture
def models_of(request: pytest.FixtureRequest) -> Path:
    """The folder that a case names."""
    folder: Path = request.getfixturevalue(request.param)
    return folder


CASES = [
    *(("models", name, {}) for name in ("iris", "shop", "house-prices", "loan-default")),
    *(("tasks", name, {}) for name in sorted(every_task())),
    *(("calibrated", name, {"coverage": "0.9"}) for name in ("line", "std", "two", "classes")),
    ("near", "products", {"k": "2"}),
    ("models", "shop", {"unusual": "true"}),
    *(
        ("calibrated", name, {"coverage": "0.9", "unusual": "true"})
        for name in ("line", "two", "classes")
    ),
]


def rows_of(site: Site, name: str) -> tuple[list[str], list[list[Any]]]:
    """Names of the columns, and golden rows, with something odd in some of them."""
    signature = site.service.repository.choose(name).signature
    names = [column.name for column in signature.columns]
    golden = json.loads((site.models / name / "1" / "golden.json").read_text())["instances"]
    rows = [[row[n] for n in names] if isinstance(row, dict) else list(row) for row in golden]
    for number, odd in enumerate(ODD):
        rows[2 * number][number % len(names)] = odd
    return names, rows


def batches(rows: list[Any]) -> list[list[Any]]:
    return [rows[start : start + ROWS] for start in range(0, len(rows), ROWS)]


def in_rows(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """An HTTP answer, row by row."""
    outputs = {name: values for name, values in answer.items() if name not in NOT_OUTPUTS}
    return [dict(zip(outputs, row, strict=True)) for row in zip(*outputs.values(), strict=True)]


@pytest.mark.parametrize(("models_of", "name", "wishes"), CASES, indirect=["models_of"])
def test_json_lines(models_of: Path, name: str, wishes: dict[str, str]) -> None:
    site = Site(models_of, S3())
    names, rows = rows_of(site, name)
    instances = [dict(zip(names, row, strict=True)) for row in rows]

    outcome = site.come(f"{name}/some.jsonl", as_lines(instances), Metadata=wishes)

    query = "".join(f"&{key}={value}" for key, value in wishes.items())
    expected, problems = [], []
    for number, some in enumerate(batches(instances)):
        body = json.dumps({"instances": some}, ensure_ascii=False).encode()
        got = site.over_http(name, body, "application/json", query)
        expected += [named(row, got.get("classes")) for row in in_rows(got)]
        errors = got.get("errors", ())
        problems += [{**each, "row": int(each["row"]) + number * ROWS} for each in errors]
    bad = len({each["row"] for each in problems})
    assert 0 < bad < len(rows)
    assert outcome == {
        "key": f"come/{name}/some.jsonl",
        "state": "answered",
        "rows": len(rows),
        "unanswered": bad,
    }
    assert read_lines(site.s3.content(f"go/{name}/some.jsonl")) == expected
    beside = site.s3.content(f"go/{name}/_some.jsonl.problems.jsonl")
    assert [json.loads(line) for line in beside.splitlines()] == problems


@pytest.mark.parametrize(("models_of", "name", "wishes"), CASES, indirect=["models_of"])
def test_csv(models_of: Path, name: str, wishes: dict[str, str]) -> None:
    site = Site(models_of, S3())
    names, rows = rows_of(site, name)

    outcome = site.come(f"{name}/some.csv", as_csv(names, rows), Metadata=wishes)

    query = "".join(f"&{key}={value}" for key, value in wishes.items())
    answers = [
        site.over_http(name, as_csv(names, some), "text/csv", query) for some in batches(rows)
    ]
    [classes] = {json.dumps(answer.get("classes")) for answer in answers}
    header, *lines = read_csv(site.s3.content(f"go/{name}/some.csv"))
    given = [named(row, json.loads(classes)) for each in answers for row in in_rows(each)]
    expected = [in_fields(row, names_in(header)) for row in given]
    assert (outcome["state"], outcome["rows"]) == ("answered", len(rows))
    assert 0 < outcome["unanswered"] < len(rows)
    assert lines == [list(row.values()) for row in expected]
    assert {tuple(row) for row in expected} == {tuple(header)}
    assert header[0] == "prediction"
    assert len(header) == len(set(header))


def named(row: Mapping[str, Any], classes: Any) -> dict[str, Any]:
    """A row of an HTTP answer, its probabilities by class and its intervals by their ends."""
    found = dict(row)
    for name, labels in (("probabilities", classes), ("interval", ["low", "high"])):
        if found.get(name) is None:
            continue
        if type(found[name][0]) is not list:
            found[name] = by_name(labels, found[name])
        elif name == "interval":
            found[name] = [by_name(labels, each) for each in found[name]]
        else:
            pairs = zip(labels, found[name], strict=True)
            found[name] = [by_name(own, each) for own, each in pairs]
    return found


def by_name(labels: list[Any], numbers: list[Number]) -> dict[str, Number]:
    names = [each if isinstance(each, str) else json.dumps(each) for each in labels]
    return dict(zip(names, numbers, strict=True))


def names_in(header: list[str]) -> dict[str, list[str]]:
    """Of each output the columns of CSV that it is spread over."""
    found: dict[str, list[str]] = {}
    for name in header:
        if "." in name:
            found.setdefault(name.partition(".")[0], []).append(name)
    return found


def in_fields(row: Mapping[str, Any], spread: Mapping[str, list[str]]) -> dict[str, str]:
    """A row by column, as CSV has it."""
    found: dict[str, str] = {}
    for name, value in row.items():
        if name not in spread:
            found[name] = field(value)
        elif value is None:
            found |= dict.fromkeys(spread[name], "")
        elif isinstance(value, list):
            for at, each in enumerate(value):
                found |= {f"{name}.{at}.{key}": field(number) for key, number in each.items()}
        else:
            found |= {f"{name}.{key}": field(number) for key, number in value.items()}
    return found


def field(value: Any) -> str:
    if value is None or type(value) is str:
        return value or ""
    return written(value)


def written(value: Any) -> str:
    """Compact JSON, with numbers as they came."""
    if isinstance(value, list):
        return f"[{','.join(map(written, value))}]"
    if isinstance(value, dict):
        members = (f"{json.dumps(k, ensure_ascii=False)}:{written(v)}" for k, v in value.items())
        return f"{{{','.join(members)}}}"
    return str(value) if isinstance(value, Number) else json.dumps(value, ensure_ascii=False)
