"""OpenAPI 3.1 for the models that are loaded, and for every route that the app has.

Paths come from the app's own table of routes, so that none can be forgotten or made up: each
protocol has the words for each of its rules in its folder, the server's own are here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from onnxlet.function import json_text
from onnxlet.function.explanation import openapi as explanation
from onnxlet.function.messages import Route
from onnxlet.function.monitoring import openapi as drift
from onnxlet.function.openapi import forms, schemas
from onnxlet.function.openapi.forms import DocumentPart, Endpoint, Operation
from onnxlet.function.protocols.invocations import openapi as invocations
from onnxlet.function.protocols.native import PREDICT
from onnxlet.function.protocols.native import openapi as native
from onnxlet.function.protocols.v1 import openapi as v1
from onnxlet.function.protocols.v2 import openapi as v2
from onnxlet.function.serving.service import Service

Describe = Callable[[Endpoint], Operation | None]
VARIABLE = re.compile(r"<(?:\w+:)?(\w+)>")  # in one of Flask's rules


def _report(endpoint: Endpoint) -> Operation | None:
    if endpoint.model is None or not endpoint.model.has_report:
        return None
    page = forms.answered("A page of HTML, without script.", forms.TEXT, "text/html")
    return Operation("How good the model is", page, None, [forms.versions(endpoint)], (400, 404))


def _page(endpoint: Endpoint) -> Operation:
    answer = forms.answered("HTML, without data.", forms.TEXT, "text/html")
    answer["200"]["content"] |= forms.content(forms.record(status={"const": "alive"}))
    return Operation(
        "A page to try the models",
        {**answer, "304": {"description": "As it was (If-None-Match)."}},
        description='Programs that accept anything (*/*) get `{"status": "alive"}`.',
    )


def _metrics(endpoint: Endpoint) -> Operation:
    return Operation(
        "Figures for Prometheus",
        forms.answered("Counters and histograms.", forms.TEXT, "text/plain"),
        refusals=(404,),
        description="404 where none are kept, as on Lambda: there the log's lines have them.",
    )


# With what is answered in the native protocol's form beside predictions.
NATIVE = native.PART._replace(
    operations={
        **native.PART.operations,
        **{f"POST {rule.replace('predict', 'explain')}": explanation.operation for rule in PREDICT},
        "GET /models/<name>/report": _report,
        "GET /models/<name>/drift": drift.operation,
    },
    schemas={**native.PART.schemas, "drift": drift.DRIFT, "binned": drift.BINNED},
)
ABOUT = DocumentPart(
    "about",
    "What is served here, for programs and for people.",
    {
        "GET /": _page,
        "GET /metrics": _metrics,
        "GET /openapi.json": forms.information(
            "This document",
            "OpenAPI 3.1.",
            forms.record(openapi=forms.TEXT, paths={"type": "object"}),
        ),
    },
    forms.ref("problem"),
    "application/problem+json",
)
PARTS: tuple[DocumentPart, ...] = (NATIVE, v2.PART, v1.PART, invocations.PART, ABOUT)


def document(service: Service) -> dict[str, Any]:
    """The OpenAPI document of a service's models and limits."""
    repository = service.repository
    models = repository.models
    paths: dict[str, dict[str, Any]] = {}
    names: set[str] = set()
    schemas_used = schemas.of_models(models, service.settings.max_rows)
    # The native protocol's routes first.
    for route in sorted(service.routes, key=lambda r: (r.rule.startswith("/v"), r.rule, r.method)):
        part, describe = _words(route)
        for endpoint in _endpoints(route, service, models):
            operation = describe(endpoint)
            if operation is None:  # this very model has nothing there
                continue
            described = _described(operation, part, endpoint, route)
            described["operationId"] = _of_its_own(described["operationId"], names)
            paths.setdefault(endpoint.path, {})[route.method.lower()] = described
            schemas_used |= part.schemas
    security = {"securitySchemes": forms.SECURITY_SCHEMES} if service.settings.api_keys else {}
    return {
        "openapi": "3.1.0",
        "info": _info(service),
        "servers": [{"url": "."}],
        "paths": paths,
        "components": {"schemas": schemas_used, **security},
        "tags": [{"name": part.tag, "description": part.about} for part in PARTS],
    }


def _words(route: Route) -> tuple[DocumentPart, Describe]:
    """What describes a route, and the part of the document that it stands in."""
    if route.describe is not None:
        return ABOUT, route.describe
    part = next(part for part in PARTS if route.key in part.operations)
    return part, part.operations[route.key]


def _endpoints(route: Route, service: Service, models: list[Any]) -> Iterator[Endpoint]:
    """The rule's paths: one for each model where it has a variable."""
    rule = route.rule
    if not VARIABLE.search(rule):
        if models or route.method != "POST":  # else all models were removed: nothing answers
            yield Endpoint(rule, service, models, None)
        return
    for model in models:
        values = {"name": model.name, "version": str(model.version)}
        path = VARIABLE.sub(lambda found, values=values: values[found[1]], rule)  # type: ignore[misc] # mypy can't infer a default's type
        yield Endpoint(path, service, models, model)


def _described(
    operation: Operation, part: DocumentPart, endpoint: Endpoint, route: Route
) -> dict[str, Any]:
    words = re.findall(r"[A-Za-z0-9_]+", endpoint.path)
    keyed = not route.open and bool(endpoint.service.settings.api_keys)
    shed = not route.open and not route.urgent
    statuses = sorted([*operation.refusals, 403, *[401] * keyed, *[503] * shed])
    refusals = {str(status): forms.refusal(part, status) for status in statuses}
    return json_text.without_none(
        {
            "operationId": "_".join([route.method.lower(), *words]),
            "tags": [part.tag],
            "summary": operation.summary,
            "description": operation.description or None,
            "parameters": list(operation.parameters) or None,
            "requestBody": operation.request,
            "security": forms.SECURITY if keyed else None,
            "responses": {**operation.responses, **refusals},
        }
    )


def _of_its_own(name: str, names: set[str]) -> str:
    """A name that no operation has yet: models `a.b` and `a-b` would give theirs the same."""
    number, given = 1, name
    while given in names:
        number += 1
        given = f"{name}_{number}"
    names.add(given)
    return given


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
