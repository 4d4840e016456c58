"""The building blocks of every part of the document."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from onnxlet.function.json_text import without_none
from onnxlet.function.messages import JSON
from onnxlet.function.models.example import example_instance, highest, table_of
from onnxlet.function.models.model import Model

if TYPE_CHECKING:
    from onnxlet.function.serving.service import Service

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
POSITIVE: Schema = {"type": "integer", "minimum": 1}
MOST_IN_EXAMPLE = 20_000  # values
SECURITY_SCHEMES: Schema = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "Authorization: Bearer KEY"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
SECURITY: list[Schema] = [{"bearer": []}, {"key": []}]  # either is enough

REASONS = {
    400: "Malformed: not JSON or CSV, or not in this protocol's form.",
    401: "No API key, or one that is not known.",
    403: "A page of another site, a host that is not this server's, or a key that may not.",
    404: "No such model or version.",
    406: "No answer in a media type that is accepted.",
    409: "The model was built without what this needs: background rows, rows for a coverage, or "
    "as many neighbours, or what rows are compared with.",
    413: "The body has too many bytes or rows.",
    415: "A media type or content encoding that is not read here.",
    422: "Well-formed, but against the model's signature.",
    503: "More requests at once than are taken; try again after Retry-After seconds.",
}


class Endpoint(NamedTuple):
    """A path that the document describes."""

    path: str  # with the model's name and version in it
    service: Service  # what answers there
    models: Sequence[Model]  # every one, in the version that is served where none is named
    model: Model | None  # the one that the path names; None where it names none

    @property
    def default(self) -> Model | None:
        """The model that answers where a request's body names none; None where none would."""
        if self.model is not None or len(self.models) == 1:
            return self.model or self.models[0]
        default = self.service.settings.default_model
        return next((model for model in self.models if model.name == default), None)

    @property
    def possible(self) -> Sequence[Model]:
        """The models of which one answers, whatever the request's body says."""
        return self.models if self.model is None else [self.model]

    @property
    def example_model(self) -> Model:
        """The model that examples are of."""
        return self.default or self.models[0]

    @property
    def example(self) -> dict[str, Any]:
        """A body of the native protocol."""
        example: dict[str, Any] = {"instances": [example_instance(self.example_model)]}
        return example if self.default else example | {"model": self.example_model.name}

    def naming(self, model: Model) -> tuple[dict[str, Schema], dict[str, Schema]]:
        """The member of a body that names a model: where it has to, and where it may."""
        if self.model is not None:
            about = "the path's goes before it"
            return {}, {"model": {"type": ["string", "null"], "description": about}}
        if model is self.default:
            return {}, {"model": {"enum": [model.name, None]}}
        return {"model": {"const": model.name}}, {}


class Operation(NamedTuple):
    """What one method does at one path."""

    summary: str  # in a few words
    responses: Mapping[str, Schema]  # by status, those that are no refusals
    request: Schema | None = None  # the body; None where there is none
    parameters: Sequence[Schema] = ()  # of the query and the headers
    refusals: Sequence[int] = ()  # statuses that are answered in the protocol's form of an error
    description: str = ""  # what else there is to know


def information(
    summary: str, text: str, schema: Schema, media_type: str = JSON
) -> Callable[[Endpoint], Operation]:
    """A route that takes nothing and returns some information."""
    return lambda endpoint: Operation(summary, answered(text, schema, media_type))


class DocumentPart(NamedTuple):
    """A protocol's part of the document."""

    tag: str  # its name
    about: str  # one sentence
    # By method and rule, what stands there.
    operations: Mapping[str, Callable[[Endpoint], Operation | None]]
    error: Schema  # the schema of its errors
    error_type: str = JSON  # their media type
    schemas: Mapping[str, Schema] = {}  # further ones that it refers to, by name


def content(schema: Schema, example: Any = None, media_type: str = JSON) -> Schema:
    """A body of one media type."""
    shown = None if example is None or is_long(example) else example
    return {media_type: without_none({"schema": schema, "example": shown})}


def is_long(example: Any) -> bool:
    """Whether an example has so many values that it would fill the document: an image, say."""
    values, level = 0, [example]
    while level and values <= MOST_IN_EXAMPLE:
        inner = [each.values() if isinstance(each, dict) else each for each in level]
        level = [each for some in inner for each in some if isinstance(each, dict | list)]
        values = sum(map(len, level))
    return values > MOST_IN_EXAMPLE


def answered(text: str, schema: Schema, media_type: str = JSON) -> dict[str, Schema]:
    """The response of status 200."""
    return {"200": {"description": text, "content": content(schema, None, media_type)}}


def body(*contents: Schema) -> Schema:
    """A request's body, in one of several media types."""
    every = {kind: form for each in contents for kind, form in each.items()}
    return {"required": True, "content": every}


def parameter(name: str, about: str, schema: Schema, place: str = "query") -> Schema:
    """A parameter of the query, or a header."""
    return {"name": name, "in": place, "description": about, "schema": schema}


def versions(endpoint: Endpoint) -> Schema:
    """The query parameter `version`."""
    repository, name = endpoint.service.repository, endpoint.example_model.name
    names = [*repository.versions(name), *repository.aliases(name)]
    about = "the one that is served where it is not named"
    return parameter("version", about, {"enum": names})


def ref(name: str) -> Schema:
    """A reference to one of the document's schemas."""
    return {"$ref": f"#/components/schemas/{name}"}


def record(optional: Mapping[str, Schema] | None = None, /, **required: Schema) -> Schema:
    """An object with these members, after those that may be lacking; others may be beside them."""
    members = {**required, **(optional or {})}
    return {"type": "object", "properties": members, "required": list(required)}


def closed(optional: Mapping[str, Schema] | None = None, /, **required: Schema) -> Schema:
    """An object with these members, after those that may be lacking, and with no others."""
    return {**record(optional, **required), "additionalProperties": False}


def listed(items: Schema, least: int | None = None, most: int | None = None) -> Schema:
    """A list of such items."""
    return without_none({"type": "array", "items": items, "minItems": least, "maxItems": most})


def one_of(*choices: Schema) -> Schema:
    """The only choice, or any of several."""
    return choices[0] if len(choices) == 1 else {"anyOf": list(choices)}


def or_null(schema: Schema) -> Schema:
    """A schema that also takes null."""
    kind = schema.get("type")
    if "enum" in schema:
        return schema if None in schema["enum"] else schema | {"enum": [*schema["enum"], None]}
    if isinstance(kind, str):
        return schema | {"type": [kind, "null"]}
    return schema if isinstance(kind, list) or not schema else {"anyOf": [schema, {"type": "null"}]}


def refusal(part: DocumentPart, status: int) -> Schema:
    """The response to a request that is refused with a status."""
    name = {503: "Retry-After", 401: "WWW-Authenticate"}.get(status)
    return without_none(
        {
            "description": REASONS[status],
            "content": content(part.error, None, part.error_type),
            "headers": name and {name: {"schema": TEXT}},
        }
    )


UNLIKE: Schema = {
    "type": "object",
    "required": ["columns", "column_count"],
    "description": "of an unusual row: what is outside, and what is usual, by column; its score",
}
OPTIONS = {
    "coverage": "beside each prediction an interval or a set that holds the truth in this share of "
    "cases",
    "k": "how many nearest each row is answered with",
    "unusual": "whether rows unlike the training rows are marked; these have no interval or set",
}
ON_ERROR: Schema = parameter(
    "on_error",
    "null: rows that can't be answered are null, and the others are not lost; "
    "refuse: they are 422, with all their problems.",
    {"enum": ["null", "refuse"], "default": "refuse"},
)
END: Schema = {"type": ["number", "null"]}  # NaN and infinities are null


def _options(models: Sequence[Model]) -> dict[str, Schema]:
    """What each option takes, by name, of those for which some model has what they need."""
    found: dict[str, Schema] = {}
    if most := [highest(table) for model in models if (table := table_of(model.manifest))]:
        found["coverage"] = {"type": "number", "exclusiveMinimum": 0, "maximum": min(most)}
    if nearest := [model.k["most"] for model in models if model.k is not None]:
        found["k"] = {"type": "integer", "minimum": 1, "maximum": min(nearest)}
    if any("unusual" in model.manifest for model in models):
        found["unusual"] = {"type": "boolean"}
    return found


def option_parameters(models: Sequence[Model]) -> list[Schema]:
    """The query parameters of options, where some model has what they take."""
    found = _options(models)
    defaults = [model.k["default"] for model in models if model.k is not None]
    if len(defaults) == 1:
        found["k"]["default"] = defaults[0]
    return [parameter(name, OPTIONS[name], schema) for name, schema in found.items()]


def option_members(model: Model) -> dict[str, Schema]:
    """The members of a body that are options."""
    return {
        name: or_null({**each, "description": OPTIONS[name]})
        for name, each in _options([model]).items()
    }


def brought(model: Model) -> dict[str, Schema]:
    """What options add to an answer: one row's entry, by the output's name."""
    found: dict[str, Schema] = {}
    if table_of(model.manifest) is not None and model.classes is not None:
        found["set"] = listed({"enum": model.classes}, 1, len(model.classes))
    elif table_of(model.manifest) is not None:
        sizes, interval = model.signature.outputs[0].shape[1:], listed(END, 2, 2)
        found["interval"] = listed(interval, *sizes, *sizes) if sizes else interval
    return found | ({"unusual": UNLIKE} if "unusual" in model.manifest else {})
