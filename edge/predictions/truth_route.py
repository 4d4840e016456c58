"""`POST /truth`: ground truth, sent after the fact, by a prediction's id and row.

It is joined to the prediction where that is kept, and forwarded where predictions are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnxlet.edge.predictions.answers import HINT, no_disk, read
from onnxlet.edge.predictions.database import TruthResult
from onnxlet.function import json_text
from onnxlet.function.errors import MalformedRequest, UnsupportedMedia
from onnxlet.function.messages import Reply, Request, Route, json_reply
from onnxlet.function.protocols.shared.forms import check_charset
from onnxlet.function.request_log import REQUEST_ID
from onnxlet.function.serving.service import Service

if TYPE_CHECKING:
    from onnxlet.edge.forward.forwarder import Forwarder
    from onnxlet.edge.predictions.prediction_store import PredictionStore
    from onnxlet.function.openapi.forms import Endpoint, Operation

PATH = "/truth"


def route(forward: Forwarder | None, keep: PredictionStore | None) -> Route:
    """The route of an app that sends truths on, joins them to its predictions, or both."""

    def answer(service: Service, request: Request) -> Reply:
        check_json(request)
        truths = read(json_text.loads(request.body), service.settings.max_rows)
        # Joined first: where that is refused nothing is sent on, and a repetition joins nothing.
        outcome = None if keep is None else keep.join(truths, request.body, request.key)
        if forward is not None and not forward.keep_truth(truths, request.key):
            raise no_disk()
        return json_reply(_counts(len(truths), outcome, forward is not None))

    return Route("POST", PATH, answer, describe)


def check_json(request: Request) -> None:
    """Refuse other media types than `/predict` has for JSON, other charsets, and an empty body."""
    check_charset(request)
    if request.media_type not in ("application/json", ""):
        raise UnsupportedMedia(
            f"media type '{request.media_type}' is not read here",
            "Send Content-Type: application/json.",
        )
    if not request.body:
        raise MalformedRequest("the body is empty", HINT)


def _counts(sent: int, outcome: TruthResult | None, forwarded: bool) -> dict[str, int]:
    if outcome is None:
        return {"kept": sent}
    joined = len(outcome.joined)
    kept = sent if forwarded else joined
    counts = {"again": outcome.again, "unknown": outcome.unknown, "taken": outcome.taken}
    return {"kept": kept, "joined": joined, **counts}


def describe(endpoint: Endpoint) -> Operation:
    """The description in `/openapi.json`."""
    from onnxlet.function.openapi import forms  # rarely needed

    text = {"type": "string", "pattern": f"^{REQUEST_ID.pattern}$"}
    row = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1, "default": 0}
    entry = forms.closed({"row": row}, id=text, value={})
    most = endpoint.service.settings.max_rows
    entries = forms.listed(entry, 1, most)
    example = {"truth": [{"id": "5bd1f0a1c9e04c36a3a4d6a7c1d1f8aa", "row": 0, "value": 162000}]}
    others = dict.fromkeys(("joined", "again", "unknown", "taken"), forms.COUNT)
    kept = forms.record(others, kept=forms.COUNT)
    return forms.Operation(
        "Report what came of predictions",
        forms.answered(
            "How many are on the disk, and were joined to their predictions; how many are for a "
            "row that has its truth already, under an id of several predictions, or not kept here.",
            kept,
        ),
        forms.body(forms.content(forms.closed(truth=entries), example)),
        refusals=(400, 413, 415, 422),
        description="A prediction is named by its answer's X-Request-Id and its row. "
        "The `row` of an error is the index of the entry.",
    )
