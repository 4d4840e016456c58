"""Schemas of a model's rows and answers: real names, types, ranges, categories, classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from onnxlet.function.arrays import LARGEST_INTEGER
from onnxlet.function.inputs.columns import FORMATS, Column, Output
from onnxlet.function.json_text import without_none
from onnxlet.function.models.example import IMAGE as EXAMPLE_IMAGE
from onnxlet.function.models.example import example_instance, typical_values
from onnxlet.function.models.model import Model
from onnxlet.function.openapi import forms
from onnxlet.function.openapi.forms import Schema

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
    "string": forms.TEXT,
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
PROBLEM_PLACES: Schema = forms.listed(
    forms.record(
        row={"type": ["integer", "null"], "minimum": 0},
        column={"type": ["string", "null"]},
        detail=forms.TEXT,
    )
)

# Members of an answer with rows that have none.
UNANSWERED: dict[str, Schema] = {
    "errors": {**PROBLEM_PLACES, "description": "why some rows are null, by on_error=null"},
    "error_count": forms.POSITIVE,
}
BESIDE: Mapping[str, Schema] = {
    "classes": {"type": "array", "description": "in the order of the probabilities"},
    **UNANSWERED,
}
SCORE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
BOX: Schema = {
    **forms.closed(
        **(
            {"label": {"type": "string"}, "score": SCORE}
            | {side: {"type": "number", "minimum": 0} for side in ("x", "y", "width", "height")}
        )
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
        schemas[f"{name}.rows"] = by_row(model, max_rows)
        schemas[f"{name}.answer"] = answer(model)
    return schemas


IGNORED: Schema = {"description": "the model drops this column: any value, or none, will do"}


def column_schema(column: Column, about: Mapping[str, Any] | None = None) -> Schema:
    """What a column takes; `about` has typical values."""
    return _said(_column(column, about), column) if column.required else dict(IGNORED)


def _said(schema: Schema, of: Column | Output) -> Schema:
    """A schema with what the model's builder says of a column or an answer, and of its unit."""
    unit = f"in {of.unit}" if of.unit else None
    words = ", ".join(filter(None, (of.description, unit, schema.get("description"))))
    return {**schema, "description": words} if words else schema


def _column(column: Column, about: Mapping[str, Any] | None) -> Schema:
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
    schema |= _bounds(column)
    about = about or {}
    typical = about.get("frequent") or ([about["median"]] if "median" in about else [])
    if typical and column.categories is None:
        schema["examples"] = typical[:5]
    return forms.or_null(schema) if column.nullable else schema


def _bounds(column: Column) -> Schema:
    return without_none({"minimum": column.minimum, "maximum": column.maximum})


def _date(column: Column) -> Schema:
    """A date of ISO 8601; others have no name in JSON Schema."""
    if column.format is not None:
        return {"description": f"a date, as strftime writes it by {column.format}"}
    if column.zone is not None:
        return {"format": "date-time", "pattern": DATE.replace("$", r"([Zz]|[+-]\d\d:\d\d)$")}
    return {"format": "date-time-local", "pattern": DATE}


def _list_schema(column: Column, schema: Schema) -> Schema:
    """Nested lists of numbers between the column's bounds."""
    schema |= _bounds(column)
    form = forms.or_null(schema) if column.nullable else schema
    for size in reversed(column.cell):
        least, most = (size, size) if isinstance(size, int) else (1, column.longest)
        form = forms.listed(form, least, most)
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
        **({} if forms.is_long(example) else {"examples": [example]}),
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
        entry = _said(output_schema(output, model), output)
        members[output.name] = forms.listed(forms.or_null(entry))
    if model.classes is not None:
        members["classes"] = {"const": model.classes}
    optional = UNANSWERED | {
        name: forms.listed(forms.or_null(entry)) for name, entry in forms.brought(model).items()
    }
    return forms.closed(optional, **members) | {"title": f"{model.name}: answers"}


def output_schema(output: Output, model: Model) -> Schema:
    """One row's entry of an output, as the native protocol writes it."""
    if output.type == "boxes":
        return forms.listed(BOX)
    several = model.classes is not None and isinstance(model.classes[0], list)
    sizes = output.shape[1:]
    if model.k is not None:
        return forms.listed(_number(output.type), 0, model.k["most"])
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
        items = forms.listed(items) if size == -1 else forms.listed(items, size, size)
    return items


def _each(items: Sequence[Schema]) -> Schema:
    form: Schema = {"type": "array", "prefixItems": list(items), "items": False}
    return form | {"minItems": len(items), "maxItems": len(items)}


# Bodies of several protocols


def images(model: Model) -> Schema:
    """The bodies of a model of one image: the image itself, or a form with files."""
    required = [column for column in model.signature.columns if column.required]
    if len(required) != 1 or not required[0].image:
        return {}
    image: Schema = {"type": "string", "format": "binary", "description": "one row"}
    files = {"type": "array", "items": {"type": "string", "format": "binary"}, "minItems": 1}
    form = forms.record(file={**files, "description": "one row each, whatever the field is called"})
    kinds = ("png", "jpeg", "webp", "gif", "bmp", "tiff")
    return {f"image/{kind}": {"schema": image} for kind in kinds} | forms.content(
        form, None, "multipart/form-data"
    )


def csv(model: Model) -> Schema:
    """A body of rows below a header."""
    row = example_instance(model)
    schema = {
        **forms.listed(forms.ref(f"{model.name}.row"), 1),
        "description": "rows below a header",
    }
    if forms.is_long(row):
        return forms.content(schema, None, "text/csv")
    lines = [",".join(map(_field, row)), ",".join(map(_field, row.values()))]
    return forms.content(schema, "\n".join(lines) + "\n", "text/csv")


def _field(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).lower()
    text = str(value)
    quoted = text.replace('"', '""')
    return f'"{quoted}"' if any(mark in text for mark in ',"\r\n') or text == "" else text


def outputs_parameter(models: Sequence[Model]) -> Schema:
    """The query parameter `outputs`, with the names that these models' outputs have."""
    names = {output.name: None for model in models for output in model.signature.outputs}
    about = "all, or names of outputs with commas between; only the prediction if not."
    return forms.parameter("outputs", about, {"enum": ["all", *names]})


def by_row(model: Model, max_rows: int | None = None) -> Schema:
    """Instances: objects, lists, or bare values where there is one column."""
    columns = model.signature.columns
    bare = [column_schema(columns[0])] if len(columns) == 1 else []
    row, values = forms.ref(f"{model.name}.row"), forms.ref(f"{model.name}.values")
    return forms.listed(forms.one_of(row, values, *bare), 1, max_rows)


def by_column(model: Model) -> Schema:
    """Columns by name, as lists of one length; or the matrix that has them all."""
    columns = model.signature.columns
    required, optional = (
        {c.name: forms.listed(column_schema(c), 1) for c in columns if c.required is needed}
        for needed in (True, False)
    )
    choices = [forms.closed(optional, **required)]
    if whole := model.signature.whole:
        choices.append(forms.closed(**{whole: forms.listed(forms.ref(f"{model.name}.values"), 1)}))
    return forms.one_of(*choices)


def entries(model: Model) -> dict[str, Schema]:
    """What each output has for a row."""
    outputs = {output.name: output_schema(output, model) for output in model.signature.outputs}
    return {name: forms.or_null(entry) for name, entry in (outputs | forms.brought(model)).items()}


def in_rows(model: Model) -> Schema:
    """Predictions: an output's entries, or objects of several outputs."""
    each = entries(model)
    several = {"type": ["object", "null"], "properties": each, "additionalProperties": False}
    return forms.listed(forms.one_of(*each.values(), *([several] if len(each) > 1 else [])))
