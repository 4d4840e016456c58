"""Schemathesis' checks, with what a schema can't say; loaded through SCHEMATHESIS_HOOKS.

A check that has exceptions is replaced by one of the same kind that knows them: `EXCUSES` has
each with its reason, and none is wider than the reason.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import schemathesis
from schemathesis.specs.openapi import checks

Excuse = Callable[[Any, Any], bool]


@schemathesis.serializer("text/csv")  # type: ignore[untyped-decorator] # no types where it is not installed
def as_csv(ctx: Any, value: Any) -> bytes:
    """Rows by column name below a header; what has no such form as JSON, to be refused."""
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        return json.dumps(value).encode()
    header = list(dict.fromkeys(name for row in value for name in row))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_field(row.get(name)) for name in header] for row in value)
    return text.getvalue().encode("utf-8", "surrogatepass")


def _field(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).lower()
    return value if isinstance(value, str) else json.dumps(value)


def csv_is_text(case: Any, response: Any) -> bool:
    return bool(case.media_type == "text/csv")


def null_for_what_is_wrong(case: Any, response: Any) -> bool:
    asked = "on_error=null" in str(response.request.url)
    params = case.body.get("params") if isinstance(case.body, Mapping) else None
    asked |= isinstance(params, Mapping) and params.get("on_error") == "null"
    return asked and response.status_code == 200 and b'"error_count"' in response.content


def lengths_that_differ(case: Any, response: Any) -> bool:
    inputs = case.body.get("inputs") if isinstance(case.body, Mapping) else None
    return isinstance(inputs, dict) and b"values" in response.content


def tensors(case: Any, response: Any) -> bool:
    return bool(case.path.endswith("/infer"))


def never_done(case: Any, response: Any) -> bool:
    return bool(re.search("/(un)?load$", case.path)) and response.status_code == 400


def together(case: Any, response: Any) -> bool:
    return b"values together" in response.content or b"is not finite" in response.content


def header_and_body(case: Any, response: Any) -> bool:
    return bool(case.path == "/invocations")


def verb_in_the_name(case: Any, response: Any) -> bool:
    return bool(case.path.startswith("/v1/") and case.path.endswith(":predict"))


def said_twice(case: Any, response: Any) -> bool:
    return b"Say it once." in response.content


EXCUSES: Mapping[str, Mapping[Excuse, str]] = {
    "negative_data_rejection": {
        csv_is_text: "CSV has no types: 5 and '5' are one, and a lacking member an empty field",
        null_for_what_is_wrong: "on_error=null answers wrong rows by null, and lists why",
    },
    "positive_data_acceptance": {
        csv_is_text: "an empty text is a missing value in CSV, and a column of text may not be",
        lengths_that_differ: "no schema says that several lists are of one length",
        header_and_body: "no schema says that the body is for the model that a header names",
        tensors: "no schema says that data fill their shape",
        said_twice: "no schema says that query, header and body name one coverage",
        never_done: "models are not loaded by request: 400 is all there is",
        together: "no schema says which numbers overflow together, where scikit-learn raises",
    },
    "unsupported_method": {
        verb_in_the_name: "for GET, V1's `N:predict` is a model's name, or a version: 404",
    },
    "allow_header_conformance": {
        verb_in_the_name: "for GET, V1's `N:predict` is a model's name, or a version: 404",
    },
}


def _excusing(name: str, excuses: Mapping[Excuse, str]) -> Callable[..., bool | None]:
    """The check of this name, but for its exceptions."""
    original = getattr(checks, name)

    def check(ctx: Any, response: Any, case: Any) -> bool | None:
        if any(excuse(case, response) for excuse in excuses):
            return True
        answer: bool | None = original(ctx, response, case)
        return answer

    check.__name__ = f"excusing_{name}"
    return check


for _name, _excuses in EXCUSES.items():
    schemathesis.check(_excusing(_name, _excuses))
