"""What requests may ask for beside their rows, in the document: a coverage, and k."""

from __future__ import annotations

from collections.abc import Sequence

from onnxlet.function.models.coverage import highest, table_of
from onnxlet.function.models.model import Model
from onnxlet.function.openapi import forms
from onnxlet.function.openapi.forms import Schema

COVERAGE = "beside each prediction an interval or a set that holds the truth in this share of cases"
K = "how many nearest each row is answered with"
ON_ERROR: Schema = forms.parameter(
    "on_error",
    "null: rows that can't be answered are null, and the others are not lost; "
    "refuse: they are 422, with all their problems.",
    {"enum": ["null", "refuse"], "default": "refuse"},
)
END: Schema = {"type": ["number", "null"]}  # NaN and infinities are null


def _coverage(models: Sequence[Model]) -> Schema | None:
    """What may be asked for of each of those models that have the table; None if none has."""
    most = [highest(table) for model in models if (table := table_of(model.manifest))]
    return {"type": "number", "exclusiveMinimum": 0, "maximum": min(most)} if most else None


def _k(models: Sequence[Model]) -> Schema | None:
    most = [model.k["most"] for model in models if model.k is not None]
    return {"type": "integer", "minimum": 1, "maximum": min(most)} if most else None


def parameters(models: Sequence[Model]) -> list[Schema]:
    """The query parameters `coverage` and `k`, where some model has what they take."""
    found = []
    if schema := _coverage(models):
        found.append(forms.parameter("coverage", COVERAGE, schema))
    if schema := _k(models):
        defaults = [model.k["default"] for model in models if model.k is not None]
        schema |= {"default": defaults[0]} if len(defaults) == 1 else {}
        found.append(forms.parameter("k", K, schema))
    return found


def member(model: Model) -> dict[str, Schema]:
    """The members `coverage` and `k` of a body."""
    wanted = ("coverage", COVERAGE, _coverage([model])), ("k", K, _k([model]))
    return {n: forms.or_null({**each, "description": about}) for n, about, each in wanted if each}


def region(model: Model) -> dict[str, Schema]:
    """What a coverage adds to an answer: one row's entry, by the output's name."""
    if table_of(model.manifest) is None:
        return {}
    if model.classes is not None:
        return {"set": forms.listed({"enum": model.classes}, 1, len(model.classes))}
    sizes = model.signature.outputs[0].shape[1:]
    interval = forms.listed(END, 2, 2)
    return {"interval": forms.listed(interval, *sizes, *sizes) if sizes else interval}
