"""Every route in one table, which the app, Flask, `/openapi.json` and servers read.

A row says what answers, whether an API key is needed, and whether it is shed under load.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from onnxlet.folders import typed
from onnxlet.function.errors import NotServed
from onnxlet.function.http import keys, pages
from onnxlet.function.messages import Reply, Request, Route, WireProtocol, json_reply
from onnxlet.function.protocols import invocations, native, v1, v2
from onnxlet.function.serving.service import Service

METRICS = "/metrics"
# The first one that owns a path answers there.
PROTOCOLS: tuple[WireProtocol, ...] = (v2, v1, invocations, native)


def protocol_of(path: str) -> WireProtocol:
    """The protocol in whose form this path's errors are answered."""
    return next(protocol for protocol in PROTOCOLS if re.fullmatch(protocol.OWN, path))


def _explain(
    service: Service, request: Request, name: str | None = None, version: str | None = None
) -> Reply:
    from onnxlet.function.explanation import route  # a server starts without it

    return route.answer(service, request, name, version)


def _drift(service: Service, request: Request, name: str) -> Reply:
    from onnxlet.function.monitoring import drift  # no prediction needs it

    keys.check_reader(service, request.key)
    return drift.answer(service, request, name)


def _metrics(service: Service, request: Request) -> Reply:
    if service.meter is None:
        raise NotServed(
            "no metrics are kept here",
            f"{typed('edge', 'serve')} keeps them; on Lambda the log lines have the figures.",
        )
    return service.meter.expose(service, request.header("Accept"), service.may_read(request.key))


def _openapi(service: Service, request: Request) -> Reply:
    from onnxlet.function.http import document  # few ask for it, and none at a cold start

    return json_reply(document.document(service))


OWN = (
    *(
        Route("POST", rule.replace("predict", "explain"), _explain, options=native.OPTIONS)
        for rule in native.PREDICT
    ),
    Route("GET", "/models/<name>/report", pages.report, options=("version",)),
    Route("GET", "/models/<name>/drift", _drift, options=("version",)),
    Route("GET", "/openapi.json", _openapi),
    # A page without data: it asks for the API key itself.
    Route("GET", "/", pages.home, open=True),
    # What counts requests has to be there when there are too many of them.
    Route("GET", METRICS, _metrics, urgent=True),
)


def table(more: Iterable[Route] = ()) -> tuple[Route, ...]:
    """All routes: the protocols' predictions and other routes, the server's, and further ones."""
    predictions = (
        Route("POST", rule, protocol=protocol, options=protocol.OPTIONS)
        for protocol in PROTOCOLS
        for rule in protocol.PREDICT
    )
    others = (route for protocol in PROTOCOLS for route in protocol.ROUTES)
    return (*predictions, *others, *OWN, *more)
