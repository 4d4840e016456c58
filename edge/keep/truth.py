"""`POST /truth`: ground truth, sent after the fact, by a prediction's id and row.

It is joined to the prediction where that is kept, and forwarded where predictions are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from onnxlet.edge.keep.store import Outcome
from onnxlet.edge.keep.truth_values import Fault
from onnxlet.function import json_text
from onnxlet.function.errors import (
    InvalidRows,
    MalformedRequest,
    Overloaded,
    RequestTooLarge,
    UnsupportedMedia,
)
from onnxlet.function.messages import Reply, Request, Route, json_reply
from onnxlet.function.protocols.shared.forms import check_charset, kind
from onnxlet.function.request_log import REQUEST_ID
from onnxlet.function.serving.service import Service

if TYPE_CHECKING:
    from onnxlet.edge.forward.forwarder import Forwarder
    from onnxlet.edge.keep.keeper import Keeper
    from onnxlet.function.openapi.forms import Endpoint, Operation

PATH = "/truth"
HINT = 'Send {"truth": [{"id": "REQUEST ID", "row": 0, "value": ...}]}.'
ID_FORM = "1 to 128 letters of a to z, A to Z, digits and . _ : / + = -"  # REQUEST_ID's
MEMBERS = {"id", "row", "value"}


def route(forward: Forwarder | None, keep: Keeper | None) -> Route:
    """The route of an app that keeps its predictions.

    Args:
        forward: sends truths on.
        keep: joins them to predictions; one of both is there.
    """

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
    """Refuse another media type than `/predict` has for JSON, another charset, and an empty body.

    Raises:
        UnsupportedMedia, MalformedRequest: it is.
    """
    check_charset(request)
    if request.media_type not in ("application/json", ""):
        raise UnsupportedMedia(
            f"media type '{request.media_type}' is not read here",
            "Send Content-Type: application/json.",
        )
    if not request.body:
        raise MalformedRequest("the body is empty", HINT)


def no_disk() -> Overloaded:
    """What is answered where truths can't be written."""
    return Overloaded("the disk takes nothing just now", "Send it again later.")


def _counts(sent: int, outcome: Outcome | None, forwarded: bool) -> dict[str, int]:
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


def read(body: Any, most: int) -> list[dict[str, Any]]:
    """Check a decoded body.

    Args:
        body: decoded JSON.
        most: entries in one request.

    Raises:
        MalformedRequest: it has another form.
        RequestTooLarge: there are too many entries.
        InvalidRows: with every invalid entry.
    """
    truths = body.get("truth") if isinstance(body, dict) and set(body) == {"truth"} else None
    if not isinstance(truths, list) or not truths:
        raise MalformedRequest("expected an object with 'truth', a list of at least one", HINT)
    if len(truths) > most:
        raise RequestTooLarge(f"expected at most {most} entries, got {len(truths)}", "Send fewer.")
    problems = [
        Fault.of(number, each, why) for number, each in enumerate(truths) if (why := _fault(each))
    ]
    if problems:
        raise InvalidRows(problems)
    return [
        {"id": each["id"], "row": each.get("row", 0), "value": each["value"]} for each in truths
    ]


def _fault(entry: Any) -> str:
    """What is wrong with one entry; empty if nothing."""
    if not isinstance(entry, dict):
        return f"expected an object, got {kind(entry)}"
    if not {"id", "value"} <= set(entry) <= MEMBERS:
        return f"expected the members id, row and value, got {sorted(entry)[:8]}"
    if not isinstance(entry["id"], str) or not REQUEST_ID.fullmatch(entry["id"]):
        return f"'id': expected the X-Request-Id that the prediction's answer bore, {ID_FORM}"
    row = entry.get("row", 0)
    if type(row) is not int or not 0 <= row < 2**31:
        return "'row': expected a whole number from 0"
    return ""
