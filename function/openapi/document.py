"""OpenAPI 3.1 for the very models that are loaded, and for every route that the app has.

Paths come from the dialects' own rules, so that none can be forgotten or made up: each dialect
has a module here with a table that says what stands behind each of its rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from onnxlet.function.http import about
from onnxlet.function.monitoring import metrics
from onnxlet.function.openapi import forms, invocations, native, others, schemas, v1, v2
from onnxlet.function.openapi.forms import Operation, Part, Place
from onnxlet.function.protocols.registry import DIALECTS

if TYPE_CHECKING:
    from onnxlet.function.serving.service import Service

PARTS: tuple[Part, ...] = (native.PART, v2.PART, v1.PART, invocations.PART, others.PART)
VARIABLE = re.compile(r"<(?:\w+:)?(\w+)>")  # in one of Flask's rules


def document(service: Service) -> dict[str, Any]:
    """The OpenAPI document.

    Args:
        service: its models and limits are described.
    """
    repository = service.repository
    models = repository.models
    paths: dict[str, dict[str, Any]] = {}
    names: set[str] = set()
    schemas_used = schemas.of_models(models, service.settings.max_rows)
    for key in rules():
        for part in PARTS:
            for place in _places(key, service, models) if key in part.operations else ():
                method = key.split(" ")[0].lower()
                described = _described(part.operations[key](place), part, place, method)
                paths.setdefault(place.path, {})[method] = described
                described["operationId"] = _of_its_own(described["operationId"], names)
                schemas_used |= part.schemas
    for route in service.routes:
        if route.describe:
            place, method = Place(route.rule, service, models, None), route.method.lower()
            described = _described(route.describe(place), others.PART, place, method)
            paths.setdefault(place.path, {})[method] = described
    form: dict[str, Any] = {"openapi": "3.1.0", "info": _info(service), "servers": [{"url": "."}]}
    form |= {"paths": paths, "components": {"schemas": schemas_used}}
    form["tags"] = [{"name": part.tag, "description": part.about} for part in PARTS]
    if service.settings.api_keys:
        form["components"]["securitySchemes"] = forms.SECURITY_SCHEMES
    return form


def rules() -> list[str]:
    """Every method and rule of the app, such as `GET /models/<name>`."""
    keys = [f"POST {rule}" for dialect in DIALECTS for rule in dialect.PREDICT]
    routes = [route for dialect in DIALECTS for route in dialect.ROUTES]
    routes += [*about.ROUTES, *metrics.ROUTES]
    return sorted([*keys, *(f"{route.method} {route.rule}" for route in routes)], key=_order)


def _order(key: str) -> tuple[bool, str, str]:
    method, rule = key.split(" ")
    return rule.startswith("/v"), rule, method


def _places(key: str, service: Service, models: list[Any]) -> Iterator[Place]:
    """The rule's paths: one for each model where it has a variable."""
    rule = key.split(" ")[1]
    if not VARIABLE.search(rule):
        if models or not key.startswith("POST "):  # else all models were removed: nothing answers
            yield Place(rule, service, models, None)
        return
    for model in models:
        values = {"name": model.name, "version": str(model.version)}
        path = VARIABLE.sub(lambda found, told=values: told[found[1]], rule)  # type: ignore[misc] # mypy can't infer a default's type
        yield Place(path, service, models, model)


def _described(operation: Operation, part: Part, place: Place, method: str) -> dict[str, Any]:
    words = re.findall(r"[A-Za-z0-9_]+", place.path)
    form: dict[str, Any] = {"operationId": "_".join([method, *words]), "tags": [part.tag]}
    form["summary"] = operation.summary
    if operation.description:
        form["description"] = operation.description
    if operation.parameters:
        form["parameters"] = list(operation.parameters)
    if operation.request is not None:
        form["requestBody"] = operation.request
    refusals = [*operation.refusals, 403]
    if place.path not in _open_paths():
        refusals += [] if place.path == metrics.PATH else [503]
        if place.service.settings.api_keys:
            form["security"] = forms.SECURITY
            refusals += [401]
    form["responses"] = dict(operation.responses)
    for status in sorted(refusals):
        form["responses"][str(status)] = forms.refusal(part, status)
    return form


def _of_its_own(name: str, names: set[str]) -> str:
    """Models may be called `a.b` and `a-b`, which name their operations alike."""
    number, given = 1, name
    while given in names:
        number += 1
        given = f"{name}_{number}"
    names.add(given)
    return given


def _open_paths() -> frozenset[str]:
    return about.OPEN.union(*(dialect.OPEN for dialect in DIALECTS))


def _info(service: Service) -> dict[str, Any]:
    repository = service.repository
    served = [
        f"{name} (versions {', '.join(map(str, repository.versions(name)))})"
        for name in repository.names
    ]
    return {
        "title": "onnxlet",
        "version": "1",  # of these routes, not of a model
        "description": (
            f"Models served here: {'; '.join(served)}. Of each the version is described that is "
            "served where none is named; the others answer at their own paths."
        ),
    }
