"""The words and schemas for explanations, which are a part of the native protocol."""

from __future__ import annotations

from onnxlet.function.explanation import additive
from onnxlet.function.explanation.background import has_background
from onnxlet.function.explanation.route import (
    MOST_PERMUTATIONS,
    MOST_ROWS,
    MOST_SECONDS,
    MOST_SEED,
    OCCLUSION,
)
from onnxlet.function.explanation.target import explained, target
from onnxlet.function.models.model import Model
from onnxlet.function.openapi import forms
from onnxlet.function.openapi.forms import Endpoint, Operation, Schema

NUMBERS: Schema = {
    "description": "a number, or one for each class or output",
    "type": ["number", "array"],
    "items": {"type": ["number", "array"], "items": {"type": "number"}},
}

OPTIONS: dict[str, Schema] = {
    "seconds": {"type": "number", "exclusiveMinimum": 0, "maximum": MOST_SECONDS},
    "permutations": {"type": "integer", "minimum": 2, "maximum": MOST_PERMUTATIONS},
    "seed": {"type": "integer", "minimum": 0, "maximum": MOST_SEED},
}


def operation(endpoint: Endpoint) -> Operation:
    """The operation of the routes that explain."""
    meant, models = endpoint.default, endpoint.possible
    choices = [_request(model, endpoint) for model in models]
    bare = [_rows(meant, endpoint)] if meant else []
    return Operation(
        "Explain answers" if len(models) > 1 else f"Explain answers of {models[0].name}",
        forms.answered(
            "How much each column pushed each answer.", forms.one_of(*map(_answer, models))
        ),
        forms.body(forms.content(forms.one_of(*choices, *bare), endpoint.example)),
        refusals=(400, *(() if endpoint.model else (404,)), 409, 413, 415, 422),
        description="Shapley values against background rows that stand beside the model, and "
        "what each tile of an image adds; 409 where there is neither.",
    )


def _rows(model: Model, endpoint: Endpoint) -> Schema:
    most = min(MOST_ROWS, endpoint.service.settings.max_rows)
    return forms.listed(
        forms.one_of(forms.ref(f"{model.name}.row"), forms.ref(f"{model.name}.values")), 1, most
    )


def _request(model: Model, endpoint: Endpoint) -> Schema:
    named, may_name = endpoint.naming(model)
    rows, beside = {"instances": _rows(model, endpoint)} | named, may_name | OPTIONS
    return forms.one_of(
        forms.closed({**beside, **_classes(model, None)}, **rows),
        *(
            forms.closed(beside | _classes(model, each.name), **rows, output={"const": each.name})
            for each in explained(model)
        ),
    )


def _classes(model: Model, output: str | None) -> dict[str, Schema]:
    """The option for some classes of an output; there is none where several outputs have some."""
    about = target(model, output, ())
    if about.nested:
        return {}
    width = next(o for o in model.signature.outputs if o.name == about.output).shape[1:]
    known = about.classes or list(range(width[0] if width else 1))
    items: Schema = {"enum": known}
    if model.manifest["task"] == "clustering" and about.output == "prediction":
        items = {"type": "integer"}  # which there are shows only in answers
    option = {"type": "array", "items": items, "minItems": 1, "uniqueItems": True}
    return {"classes": {**option, "description": "explain only these"}}


def _answer(model: Model) -> Schema:
    columns = {column.name: NUMBERS for column in model.signature.columns}
    tiles = _tiles(model)
    if tiles and not has_background(model):
        return _occluded(model, tiles)
    each = forms.record(
        {
            "errors": {
                **forms.closed(**columns),
                "description": "standard errors of the contributions",
            },
            "tokens": {
                "type": "object",
                "additionalProperties": forms.listed(
                    forms.record(
                        token=forms.TEXT, start=forms.COUNT, end=forms.COUNT, contribution=NUMBERS
                    )
                ),
            },
        },
        prediction={},
        answer=NUMBERS,
        contributions=forms.closed(**columns),
        **tiles,
    )
    sampled = forms.record(
        {
            "classes": {"type": "array"},
            "permutations": {"type": "integer"},
            "cut_short": {"const": True, "description": "time ran out; it may differ next time"},
        },
        **_common(model),
        method={"enum": ["exact", "permutation"]},
        background=forms.record(source=forms.TEXT, rows=forms.POSITIVE),
        output={"enum": [output.name for output in explained(model)]},
        explanations=forms.listed(each, 1),
    )
    return (
        sampled
        if additive.terms(model) is None
        else forms.one_of(sampled, _additive(model, columns))
    )


def _tiles(model: Model) -> dict[str, Schema]:
    """The member of the tiles of images; none where there are no images."""
    if not model.signature.image_feeds:
        return {}
    from onnxlet.function.explanation.tiles import grids  # models without images do without

    known = {
        column: forms.record(
            rows={"const": rows},
            columns={"const": across},
            contributions=forms.listed(forms.listed(NUMBERS, across, across), rows, rows),
        )
        for column, (rows, across) in grids(model).items()
    }
    about = "the answer to the image, less that with the tile covered; rows of the grid downwards"
    return {"tiles": {**forms.closed(**known), "description": about}}


def _occluded(model: Model, tiles: dict[str, Schema]) -> Schema:
    """The answer of a model that has images, and no background."""
    common = _common(model)
    del common["base_value"]
    return forms.record(
        {"classes": {"type": "array"}},
        **common,
        method={"const": OCCLUSION},
        output={"enum": [output.name for output in model.signature.outputs]},
        explanations=forms.listed(forms.record(prediction={}, answer=NUMBERS, **tiles), 1),
    )


def _common(model: Model) -> dict[str, Schema]:
    return {
        "model": {"const": model.name},
        "version": {"type": "integer"},
        "base_value": NUMBERS,
        "evaluations": {"type": "integer"},
    }


def _additive(model: Model, columns: dict[str, Schema]) -> Schema:
    """The answer of a model that is a sum of terms."""
    names = forms.listed({"enum": list(columns)}, 1)
    term = forms.record(columns=names, contribution=NUMBERS)
    each = forms.record(
        prediction={},
        answer=NUMBERS,
        contributions=forms.closed(**columns),
        terms={**forms.listed(term), "description": "what the columns' shares are of"},
    )
    return forms.record(
        {"classes": {"type": "array"}},
        **_common(model),
        method={"const": additive.METHOD},
        output={"const": additive.OUTPUT},
        scale={"type": "string", "description": "what the score is"},
        explanations=forms.listed(each, 1),
    )
