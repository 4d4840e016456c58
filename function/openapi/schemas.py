"""Schemas of a model's rows and answers: real names, types, ranges, categories, classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from onnxlet.function.arrays import LARGEST_INTEGER
from onnxlet.function.inputs.columns import FORMATS, Column, Output
from onnxlet.function.models.example import IMAGE as EXAMPLE_IMAGE
from onnxlet.function.models.example import example_instance, typical_values
from onnxlet.function.openapi import wishes
from onnxlet.function.openapi.forms import (
    POSITIVE,
    TEXT,
    Schema,
    closed,
    is_long,
    listed,
    one_of,
    or_null,
    record,
    ref,
)

if TYPE_CHECKING:
    from onnxlet.function.models.model import Model

TYPES: Mapping[str, Schema] = {
    "float64": {"type": "number", "format": "double"},
    "float32": {"type": "number", "format": "float"},
    "int64": {
        "type": "integer",
        "format": "int64",
        "minimum": -LARGEST_INTEGER - 1,
        "maximum": LARGEST_INTEGER,
    },
    "bool": {"type": "boolean"},
    "string": TEXT,
}
# Within the years that the function reads, and with days that every month has.
DATE = (
    r"^(1[789]|2[01])\d\d-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])"
    r"T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?$"
)
IMAGE: Schema = {
    "contentEncoding": "base64",
    "contentMediaType": "image/png",
    "description": f"{FORMATS} in base64, or as a data: URL with base64",
    "examples": [EXAMPLE_IMAGE],
}
PROBLEM_PLACES: Schema = listed(
    record(
        {
            "row": {"type": ["integer", "null"], "minimum": 0},
            "column": {"type": ["string", "null"]},
            "detail": TEXT,
        }
    )
)

# Members of an answer with rows that have none.
UNANSWERED: dict[str, Schema] = {
    "errors": {**PROBLEM_PLACES, "description": "why some rows are null, by on_error=null"},
    "error_count": POSITIVE,
}
SCORE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
BOX: Schema = {
    **closed(
        {"label": {"type": "string"}, "score": SCORE}
        | {side: {"type": "number", "minimum": 0} for side in ("x", "y", "width", "height")}
    ),
    "description": "an object in the picture that was sent, in its pixels",
}


def of_models(models: Iterable[Model], max_rows: int) -> dict[str, Schema]:
    """Each model's rows and answers, by the names that `ref` takes."""
    schemas: dict[str, Schema] = {}
    for model in models:
        name = model.name
        schemas[f"{name}.row"] = row_by_name(model)
        schemas[f"{name}.values"] = row_in_order(model)
        schemas[f"{name}.rows"] = listed(
            one_of(ref(f"{name}.row"), ref(f"{name}.values")), 1, max_rows
        )
        schemas[f"{name}.answer"] = answer(model)
    return schemas


IGNORED: Schema = {"description": "the model drops this column: any value, or none, will do"}


def column_schema(column: Column, about: Mapping[str, Any] | None = None) -> Schema:
    """What a column takes; `about` has typical values."""
    if not column.required:
        return dict(IGNORED)
    schema = dict(TYPES[column.type])
    if column.cell:
        return _list_schema(column, schema)
    if column.categories is not None:
        schema = {"enum": list(column.categories)}
    elif column.date:
        schema |= _date(column)
    elif column.image:
        schema |= IMAGE
    elif column.type == "string":
        schema["maxLength"] = column.longest
    schema |= {} if column.minimum is None else {"minimum": column.minimum}
    schema |= {} if column.maximum is None else {"maximum": column.maximum}
    about = about or {}
    typical = about.get("frequent") or ([about["median"]] if "median" in about else [])
    if typical and column.categories is None:
        schema["examples"] = typical[:5]
    return or_null(schema) if column.nullable else schema


def _date(column: Column) -> Schema:
    """A date of ISO 8601; others have no name in JSON Schema."""
    if column.format is not None:
        return {"description": f"a date, as strftime writes it by {column.format}"}
    if column.zone is not None:
        return {"format": "date-time", "pattern": DATE.replace("$", r"([Zz]|[+-]\d\d:\d\d)$")}
    return {"format": "date-time-local", "pattern": DATE}


def _list_schema(column: Column, schema: Schema) -> Schema:
    """Nested lists of numbers between the column's bounds."""
    schema |= {} if column.minimum is None else {"minimum": column.minimum}
    schema |= {} if column.maximum is None else {"maximum": column.maximum}
    form = or_null(schema) if column.nullable else schema
    for size in reversed(column.cell):
        least, most = (size, size) if isinstance(size, int) else (1, column.longest)
        form = listed(form, least, most)
    return form


def row_by_name(model: Model) -> Schema:
    """An instance as an object by column name, closed: an unknown column is refused."""
    typical = typical_values(model)
    columns = model.signature.columns
    example = example_instance(model)
    properties = {c.name: column_schema(c, typical.get(c.name)) for c in columns}
    properties |= {name: dict(IGNORED) for name in sorted(model.signature.ignored)}
    return {
        "type": "object",
        "title": f"{model.name}: a row by column name",
        "properties": properties,
        "required": [c.name for c in columns if c.required and not c.absent],
        "additionalProperties": False,
        **({} if is_long(example) else {"examples": [example]}),
    }


def row_in_order(model: Model) -> Schema:
    """An instance as a list of values in signature order."""
    cells = [column_schema(column) for column in model.signature.columns]
    form: Schema = {"type": "array", "title": f"{model.name}: a row's values, in signature order"}
    form |= {"minItems": len(cells), "maxItems": len(cells)}
    if all(cell == cells[0] for cell in cells):
        return form | {"items": cells[0]}
    return form | {"prefixItems": cells, "items": False}


def answer(model: Model) -> Schema:
    """The native answer: an entry for each row in every output, null where it has none."""
    members: dict[str, Schema] = {
        "model": {"const": model.name},
        "version": {"type": "integer"},
    }
    for output in model.signature.outputs:
        entry = output_schema(output, model)
        members[output.name] = listed(or_null(entry))
    if model.classes is not None:
        members["classes"] = {"const": model.classes}
    optional = UNANSWERED | {
        name: listed(or_null(entry)) for name, entry in wishes.region(model).items()
    }
    return closed(members, optional) | {"title": f"{model.name}: answers"}


def output_schema(output: Output, model: Model) -> Schema:
    """One row's entry of an output, as the native protocol writes it."""
    if output.type == "boxes":
        return listed(BOX)
    several = model.classes is not None and isinstance(model.classes[0], list)
    sizes = output.shape[1:]
    if model.k is not None:
        return listed(_number(output.type), 0, model.k["most"])
    if output.name == "prediction" and model.classes is not None:
        return _label(model.classes, sizes, several)
    if output.name == "probabilities":
        share = {"type": ["number", "null"], "minimum": 0}  # null: NaN, as scikit-learn has it
        if several and model.classes is not None:
            return _each([_nested(share, [len(known)]) for known in model.classes])
        return _nested(share, sizes)
    return _nested(_number(output.type), sizes)


def _number(kind: str) -> Schema:
    if kind in ("float64", "float32"):
        return {"type": ["number", "null"]}  # NaN and infinities are null
    if kind == "string":
        return {"type": ["string", "null"]}  # a missing text is null
    return {"type": TYPES[kind]["type"]}


def _label(classes: Sequence[Any], sizes: Sequence[int], several: bool) -> Schema:
    if several:
        return _each([{"enum": known} for known in classes])
    if sizes:  # several labels, each yes or no
        return _nested({"type": ["integer", "boolean", "number", "string"]}, sizes)
    return {"enum": list(classes)}


def _nested(items: Schema, sizes: Sequence[int]) -> Schema:
    """Lists of these sizes, the outermost first."""
    for size in reversed(sizes):
        items = listed(items) if size == -1 else listed(items, size, size)
    return items


def _each(items: Sequence[Schema]) -> Schema:
    form: Schema = {"type": "array", "prefixItems": list(items), "items": False}
    return form | {"minItems": len(items), "maxItems": len(items)}
