"""Which differences between two versions a client would notice."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from onnxlet.function.errors import InvalidRows
from onnxlet.function.inputs.signature import Signature
from onnxlet.function.inputs.validation import validate_rows
from onnxlet.function.models.compatible import differences

Manifest = dict[str, Any]


def column(name: str, kind: str = "float64", **more: Any) -> Manifest:
    return {"name": name, "type": kind, "nullable": False, "shape": [-1, 1], **more}


def held(column: Manifest) -> str:
    """The dtype of the graph's tensor; an integer that may be missing has none but a float's."""
    gaps = column["type"] == "int64" and column["nullable"]
    return "float64" if gaps else column["type"]


def manifest(*columns: Manifest, **more: Any) -> Manifest:
    """A classifier's of a frame."""
    outputs = [
        {"name": "prediction", "type": "string", "shape": [-1]},
        {"name": "probabilities", "type": "float32", "shape": [-1, 2]},
    ]
    described = {each["name"]: {"minimum": 0, "maximum": 50} for each in columns}
    return {
        "task": "classification",
        "classes": ["no", "yes"],
        "signature": {"inputs": list(columns), "outputs": outputs},
        "graph": {
            "inputs": [
                {"name": each["name"], "dtype": held(each), "columns": [each["name"]]}
                for each in columns
                if each.get("required", True)
            ],
            "outputs": ["a", "b"],
        },
        "statistics": {"columns": described},
        **more,
    }


def of_array(kind: str, width: int) -> Manifest:
    """A classifier's of a bare array."""
    members = [{"name": f"x{place}", "nullable": False} for place in range(width)]
    made = manifest()
    tensor = {"name": "input", "type": kind, "shape": [-1, width], "columns": members}
    made["signature"]["inputs"] = [tensor]
    made["graph"]["inputs"] = [
        {"name": "input", "dtype": kind, "columns": [each["name"] for each in members]}
    ]
    return made


AGE, CITY = column("age", "int64", nullable=True), column("city", "string")
SERVED = manifest(AGE, CITY)


def outputs(manifest: Manifest, *outputs: Manifest) -> Manifest:
    changed = deepcopy(manifest)
    changed["signature"]["outputs"] = list(outputs)
    changed["graph"]["outputs"] = [each["name"] for each in outputs]
    return changed


LABEL, SHARES = SERVED["signature"]["outputs"]

Case = tuple[Manifest, Manifest, list[str]]


def of_served(new: Manifest, *expected: str) -> Case:
    """What is said of a manifest after the usual one."""
    return SERVED, new, [*expected]


NOTICED: dict[str, Case] = {
    "a column is removed": of_served(manifest(AGE), "column 'city' is removed"),
    "a column is renamed": of_served(
        manifest(AGE, column("town", "string")),
        "column 'city' is removed",
        "column 'town' is new and required (string)",
    ),
    "an ignored column is required": (
        manifest(AGE, {**CITY, "required": False}),
        SERVED,
        ["column 'city' is required now (string)"],
    ),
    "the order of lists": of_served(
        manifest(CITY, AGE),
        "rows as lists: the order of columns ['age', 'city'] becomes ['city', 'age']",
    ),
    "an integer for a number": (
        manifest(column("a")),
        manifest(column("a", "int64")),
        [
            "column 'a': float64 becomes int64",
            "v2: bytes without a header were read as float64, and are as int64",
        ],
    ),
    "a boolean for a number": (
        manifest(column("a"), CITY),
        manifest(column("a", "bool"), CITY),
        ["column 'a': float64 becomes bool"],
    ),
    "a text for a number": (
        manifest(AGE, CITY),
        manifest(column("age", "string"), CITY),
        ["column 'age': int64 becomes string"],
    ),
    "an image for a text": of_served(
        manifest(AGE, column("city", "image")), "column 'city': string becomes an image"
    ),
    "no missing value": of_served(
        manifest({**AGE, "nullable": False}, CITY), "column 'age': a missing value is refused now"
    ),
    "no infinity, of data of which it is not known whether it had some": (
        manifest(column("a", infinite=True), CITY),
        manifest(column("a"), CITY),
        ["column 'a': an infinity is refused now"],
    ),
    "no infinity, of which the data had some": (
        manifest(column("a", infinite=True), CITY, statistics={"columns": {"a": {"infinite": 2}}}),
        manifest(column("a"), CITY),
        ["column 'a': an infinity is refused now"],
    ),
    "no negative number": of_served(
        manifest({**AGE, "minimum": 0}, CITY), "column 'age': numbers below 0 are refused now"
    ),
    "a lower maximum": (
        manifest({**AGE, "maximum": 99}, CITY),
        manifest({**AGE, "maximum": 60}, CITY),
        ["column 'age': numbers above 60 are refused now"],
    ),
    "closed categories": of_served(
        manifest(AGE, {**CITY, "categories": ["Bonn", "Ulm"]}),
        "column 'city': other values than ['Bonn', 'Ulm'] are refused now",
    ),
    "fewer categories": (
        manifest(AGE, {**CITY, "categories": ["Bonn", "Ulm", "Trier"]}),
        manifest(AGE, {**CITY, "categories": ["Ulm", "Fulda"]}),
        ["column 'city': ['Bonn', 'Trier'] are refused now"],
    ),
    "another width of the array": (
        of_array("float64", 2),
        of_array("float64", 3),
        [
            "column 'x2' is new and required (float64)",
            "v2 tensor 'input': shape [-1, 2] becomes [-1, 3]",
        ],
    ),
    "other bytes of the array": (
        of_array("float64", 2),
        of_array("float32", 2),
        ["v2: bytes without a header were read as float64, and are as float32"],
    ),
    "a frame for an array": (
        of_array("float64", 2),
        manifest(column("x0"), column("x1")),
        ["v2 tensor 'input' is removed", "v2 tensor 'x0' is new", "v2 tensor 'x1' is new"],
    ),
    "another task": of_served(
        {**SERVED, "task": "regression"}, "task: classification becomes regression"
    ),
    "a class more": of_served(
        {**SERVED, "classes": ["maybe", "no", "yes"]},
        "classes: ['no', 'yes'] becomes ['maybe', 'no', 'yes']",
    ),
    "classes in another order": of_served(
        {**SERVED, "classes": ["yes", "no"]}, "classes: ['no', 'yes'] becomes ['yes', 'no']"
    ),
    "classes of another type": (
        {**SERVED, "classes": [0, 1]},
        {**SERVED, "classes": [False, True]},
        ["classes: [0, 1] becomes [False, True]"],
    ),
    "an output less": of_served(outputs(SERVED, LABEL), "output 'probabilities' is removed"),
    "an output more": (outputs(SERVED, LABEL), SERVED, ["output 'probabilities' is new"]),
    "labels of another type": of_served(
        outputs(SERVED, {**LABEL, "type": "int64"}, SHARES),
        "output 'prediction': string becomes int64",
    ),
    "another width of an output": of_served(
        outputs(SERVED, LABEL, {**SHARES, "shape": [-1, 3]}),
        "output 'probabilities': shape [-1, 2] becomes [-1, 3]",
    ),
    "the order of outputs": of_served(
        outputs(SERVED, SHARES, LABEL),
        (
            "v2: the order of outputs ['prediction', 'probabilities'] "
            "becomes ['probabilities', 'prediction']"
        ),
    ),
}


@pytest.mark.parametrize("change", NOTICED)
def test_what_clients_would_notice_is_named(change: str) -> None:
    served, new, expected = NOTICED[change]

    assert differences(served, new) == expected


UNNOTICED = {
    "the same": (SERVED, SERVED),
    "more is nullable": (SERVED, manifest(AGE, {**CITY, "nullable": True})),
    "a new column that may be left out": (
        SERVED,
        manifest(AGE, CITY, column("new", "string", required=False)),
    ),
    "a column may be left out": (SERVED, manifest(AGE, {**CITY, "required": False})),
    "a number for an integer": (SERVED, manifest(column("age", nullable=True), CITY)),
    "infinities are answered": (
        manifest(column("a"), CITY),
        manifest(column("a", infinite=True), CITY),
    ),
    "an infinity that the data had not": (
        manifest(column("a", infinite=True), CITY, statistics={"columns": {"a": {"infinite": 0}}}),
        manifest(column("a"), CITY),
    ),
    "categories more": (
        manifest(AGE, {**CITY, "categories": ["Bonn"]}),
        manifest(AGE, {**CITY, "categories": ["Bonn", "Ulm"]}),
    ),
    "categories are open": (manifest(AGE, {**CITY, "categories": ["Bonn"]}), SERVED),
    # Where a float overflows inside: beyond all data, and elsewhere after each fit.
    "a bound far from all data": (
        manifest(column("a", maximum=1e20), CITY),
        manifest(column("a", maximum=1e19, minimum=-1e19), CITY),
    ),
    "a wider bound": (
        manifest({**AGE, "maximum": 60}, CITY),
        manifest({**AGE, "maximum": 99}, CITY),
    ),
    "digits of an output": (
        SERVED,
        outputs(SERVED, LABEL, {**SHARES, "type": "float64"}),
    ),
}


@pytest.mark.parametrize("change", UNNOTICED)
def test_what_clients_would_not_notice_passes(change: str) -> None:
    assert differences(*UNNOTICED[change]) == []


def test_a_manifest_without_statistics_is_compared_all_the_same() -> None:
    """An import without a sample has none of its columns."""
    new = manifest({**AGE, "minimum": 0}, CITY)
    without: list[Manifest] = [{}, {"statistics": None}, {"statistics": {"columns": {}}}]
    for nothing in without:
        served = {key: value for key, value in SERVED.items() if key != "statistics"} | nothing
        assert differences(served, new) == ["column 'age': numbers below 0 are refused now"]


COLUMNS = [
    column("a", kind, nullable=nullable, **more)
    for kind in ("float64", "float32", "int64", "bool", "string")
    for nullable in ((False,) if kind == "bool" else (False, True))
    for more in (
        {},
        *([{"minimum": 0}, {"maximum": 60}] if kind in ("float64", "int64") else ()),
        *([{"infinite": True}] if kind == "float64" else ()),
        *([{"categories": [1, 3]}] if kind == "int64" else ()),
        *([{"categories": ["x"]}] if kind == "string" else ()),
        {"required": False},
    )
]
CELLS = [None, float("inf"), -5, 0, 1, 3, 3.5, 99, 1e300, True, "x", "y"]


def taken(manifest: Manifest) -> set[int]:
    """Which of the cells are taken, and -1 for none at all; each in an object."""
    signature = Signature.from_manifest(manifest)
    found = set()
    for place, row in enumerate([*({"a": cell, "b": 1} for cell in CELLS), {"b": 1}]):
        try:
            validate_rows([row], signature)
        except InvalidRows:
            continue
        found.add(place)
    return found


def test_what_passes_takes_all_that_was_taken() -> None:
    """Every pair of columns: nothing is said only where no cell that was answered is refused."""
    wide = 1e300  # beyond a float32, and beyond what is held against bounds
    pairs = 0
    manifests = [manifest(each, column("b", "int64")) for each in COLUMNS]
    cells = [taken(each) for each in manifests]
    for served, before in zip(manifests, cells, strict=True):
        for new, after in zip(manifests, cells, strict=True):
            lost = {CELLS[n] for n in before - after if n < len(CELLS)} - {wide}
            ignored = not served["signature"]["inputs"][0].get("required", True)
            if not differences(served, new):
                pairs += 1
                assert not lost, (served["signature"], new["signature"])
            elif not ignored:
                assert before - after, (served["signature"], new["signature"])
    assert pairs > len(manifests)
