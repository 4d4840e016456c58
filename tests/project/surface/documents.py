"""What the OpenAPI document says of two examples, and members of the files that are written."""

from __future__ import annotations

import json
import re
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from onnxlet.convert.bundle.contents import choose_models
from onnxlet.convert.bundle.package import description, part_description, write_models
from onnxlet.convert.bundle.parts import Machine
from onnxlet.edge.predictions import truth_route
from onnxlet.function.app import create_app
from onnxlet.function.settings import Settings
from tests.project.surface.names import Names

ALTERNATIVES = ("anyOf", "oneOf", "allOf")
EXAMPLES = ("house-prices", "loan-default")  # numbers with intervals, labels with sets
EXAMPLE = "|".join(EXAMPLES)
# Members whose own members are called after columns, outputs, files or tools.
OF_THE_MODEL = {
    "categories", "columns", "dates", "files", "limited_columns", "margins", "metrics", "models",
    "near_zero", "outputs", "versions",
}  # fmt: skip
TYPES = {bool: "boolean", int: "number", float: "number", str: "text", dict: "object", list: "list"}


class Found(dict[str, set[str]]):
    """Names, each with all that it was found to be."""

    def add(self, name: str, form: str) -> None:
        self.setdefault(name, set()).add(form)

    def names(self) -> Names:
        return {name: " or ".join(sorted(forms)) for name, forms in self.items()}


def http(models: Path) -> tuple[Names, Names]:
    """Routes with their parameters, bodies and answers; and the schemas that these name.

    Whatever a model's route has, that of its versions has, too: both are looked at as one.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name in EXAMPLES:
            Path(folder, name).symlink_to(models / name)
        settings, truth = Settings(Path(folder), owned=True), truth_route.route(None, None)
        app = create_app(folder, settings=settings, routes=[truth], log=lambda entry: None)
        client = app.test_client()
        text, listed = (client.get(path).text for path in ("/openapi.json", "/models"))
    inputs = (model["signature"]["inputs"] for model in json.loads(listed)["models"])
    columns = {column["name"] for each in inputs for column in each}
    text = re.sub(rf"(?<=/)({EXAMPLE})\b", "N", text)
    text = re.sub(rf'"({"|".join(sorted(columns))})":', '"*":', text)
    document = json.loads(re.sub(r"(?<=/versions/)1\b", "V", text))
    routes, schemas = Found(), Found()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            routes.add(f"{method.upper()} {path}", "route")
            _route(routes, f"{method.upper()} {path.replace('/versions/V', '')}", operation)
    for name, schema in document["components"]["schemas"].items():
        model, _, what = name.partition(".")
        schemas.add(named := f"N.{what}" if model in EXAMPLES else name, _form(schema))
        if what not in ("row", "values", "rows"):  # columns are the model's
            _members(schemas, named, schema)
    return routes.names(), schemas.names()


def _route(found: Found, route: str, operation: Mapping[str, Any]) -> None:
    for one in operation.get("parameters", ()):
        name = f"{route} {'?' if one['in'] == 'query' else ''}{one['name']}"
        found.add(name, "required " * one.get("required", False) + _form(one["schema"]))
        for choice in sorted({*map(str, one["schema"].get("enum", ()))} - {*EXAMPLES, "1"}):
            found.add(f"{name} {choice}", "choice")
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        found.add(f"{route} takes {media}", _form(content["schema"]))
        _members(found, f"{route} body", content["schema"], "required ")
    for status, answer in operation["responses"].items():
        told = answer.get("content", {})
        forms = [f"{media} ({_form(content['schema'])})" for media, content in told.items()]
        found.add(f"{route} answers {status}", ", ".join(forms) or "nothing")
        for content in told.values():
            _members(found, f"{route} {'answer' if status < '4' else 'error'}", content["schema"])


def _form(schema: Mapping[str, Any]) -> str:
    """What a value is: its type, or the schema that is named."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    kinds = schema.get("type", [])
    words = [kinds] if isinstance(kinds, str) else [*kinds]
    words += [_form(each) for key in ALTERNATIVES for each in schema.get(key, ())]
    return " or ".join(sorted(set(words))) or "any"


def _members(found: Found, name: str, schema: Mapping[str, Any], needed: str = "") -> None:
    """Members of a schema's objects, those of their objects, and so on; not of named schemas."""
    for key in (*ALTERNATIVES, "prefixItems"):
        for each in schema.get(key, ()):
            _members(found, name, each, needed)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            _members(found, f"{name}[]", schema[key], needed)
    for member, each in schema.get("properties", {}).items():
        always = member in schema.get("required", ())
        inner = f"{name}.{member}"
        found.add(inner, needed * always + _form(each) + ", always" * (always and not needed))
        _members(found, inner, each, needed)


def files(models: Path) -> tuple[Names, Names]:
    """Members of manifests, and of what bundles say of themselves."""
    manifests, bundles = Found(), Found()
    for path in sorted(models.glob("*/1/manifest.json")):
        _written(manifests, "", json.loads(path.read_bytes()))
    chosen = [one._replace(others=(one,)) for one in choose_models(models, EXAMPLES, ())]
    with tempfile.TemporaryDirectory() as folder:
        write_models(chosen, out := Path(folder, "models.zip"), 1)
        with zipfile.ZipFile(out) as archive:
            models_only = json.loads(archive.read("models.json"))
    whole = description(Machine("3.13", "aarch64"), chosen, {})
    listings = {
        "bundle.json": whole,
        "device.json": part_description(1, {}),
        "models.json": models_only,
    }
    for file, content in listings.items():
        _written(bundles, f"{file} ", content)
    return manifests.names(), bundles.names()


def _written(found: Found, prefix: str, content: Mapping[str, Any]) -> None:
    """Members of a file, each as `outer.inner`, with * for names that are the model's."""
    for member, value in content.items():
        outer = re.split("[. ]", prefix.rstrip("."))[-1]
        name = prefix + ("*" if outer in OF_THE_MODEL else member)
        if member == "batches":  # the one or the other, by the processor
            found.add(name, "object or text")
            continue
        found.add(name, TYPES.get(type(value), "null"))
        inner: Iterable[Any] = value if isinstance(value, list) else [value]
        for each in inner:
            if isinstance(each, dict):
                _written(found, f"{name}[]." if isinstance(value, list) else f"{name}.", each)
