"""Events of objects that came into S3: each is answered into an object elsewhere.

They come from the bucket itself (directly, or by a topic), from EventBridge, or in messages of an
SQS queue. Each comes at least once, and in any order.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

from onnxlet.function import deadline, json_text, request_log
from onnxlet.function.aws import s3_objects
from onnxlet.function.aws.native_events import seconds_left
from onnxlet.function.aws.object_run import LOGGED, Job, NotNow, Scoring
from onnxlet.function.aws.object_scoring import Outcome, score
from onnxlet.function.aws.s3_objects import Objects, Place, place_of
from onnxlet.function.errors import MalformedRequest, OnnxletError, RequestTooLarge, SettingsError
from onnxlet.function.serving.service import Service

SOURCE = "aws:s3"
BRIDGE = ("aws.s3", "Object Created")  # source and detail-type
CREATED = "ObjectCreated:"
TEST = "s3:TestEvent"  # which a bucket sends when it is set up
RESERVE_SECONDS = 5.0  # kept to write the last part, or a refusal
RESERVE_SHARE = 0.2  # ... of a short time at most
WHOLE_SHARE = 0.9  # of an invocation's time, with which an object has as good as all of it


class Created(NamedTuple):
    """An object that came."""

    place: Place  # bucket and key
    etag: str  # of its content; or an empty text


class NotAnswered(OnnxletError):
    """Objects that may be answered when their event comes again: Lambda then sends it again."""


def created(event: Any) -> list[Created] | None:
    """The objects that an event is about, but for removed ones; None of another event.

    It comes from a bucket, from EventBridge, or from a topic that passes one on.
    """
    try:
        return list(_created(event))
    except (KeyError, TypeError, AttributeError, ValueError):
        return None


def _created(event: Any) -> Iterator[Created]:
    if (event.get("source"), event.get("detail-type")) == BRIDGE:
        about = event["detail"]
        found = about["object"]
        yield Created(Place(about["bucket"]["name"], found["key"]), found.get("etag", ""))
    elif event.get("Event") != TEST:
        records = event["Records"]
        if not records:
            raise ValueError
        for record in records:
            if "Sns" in record:
                yield from _created(_loaded(record["Sns"]["Message"]))
            elif record["eventSource"] != SOURCE:
                raise ValueError
            elif record["eventName"].removeprefix("s3:").startswith(CREATED):
                found = record["s3"]["object"]
                place = Place(record["s3"]["bucket"]["name"], unquote_plus(found["key"]))
                yield Created(place, found.get("eTag", ""))


def in_message(record: Any) -> list[Created] | None:
    """The objects that a message of an SQS queue is about; None of another message."""
    try:
        body = _loaded(record["body"])
        if body.get("Type") == "Notification" and "Message" in body:  # of a topic
            body = _loaded(body["Message"])
    except (KeyError, TypeError, AttributeError, ValueError):
        return None
    return created(body)


def _loaded(text: str) -> Any:
    try:
        return json_text.loads(text.encode("utf-8", "surrogatepass"))
    except (MalformedRequest, RequestTooLarge) as error:
        raise ValueError from error


def scoring_of(service: Service, log: request_log.Log, objects: Objects | None = None) -> Scoring:
    """Where objects come from and go to; raises SettingsError where the settings don't say."""
    settings = service.settings
    if settings.score_from is None or settings.score_to is None:
        raise SettingsError(
            "ONNXLET_SCORE_FROM and ONNXLET_SCORE_TO are not set: objects can't be answered",
            "Set them to s3://BUCKET/PREFIX/ of the objects, and of their answers.",
        )
    come, go = place_of(settings.score_from), place_of(settings.score_to)
    found = s3_objects.of_lambda() if objects is None else objects
    return Scoring(service, found, come, go, settings.score_keep, log)


def answer(objects: Sequence[Created], scoring: Scoring, context: Any) -> dict[str, Any]:
    """Answer the objects of an event, and return what came of each.

    Raises NotAnswered where one may be answered when the event comes again.
    """
    outcomes, late = list[dict[str, Any]](), list[str]()
    clock = Clock(context)
    with deadline.watched(clock.seconds):
        for each in objects:
            outcome = one(each, scoring, context, clock)
            if isinstance(outcome, NotNow):
                late.append(outcome.kind)
            else:
                outcomes.append(outcome._asdict())
    if late:
        raise NotAnswered(f"{len(late)} of {len(objects)} objects not answered: {', '.join(late)}")
    return {"objects": outcomes}


def answer_messages(
    messages: Sequence[tuple[str, Sequence[Created]]],
    scoring: Scoring,
    context: Any,
    first: bool = True,
) -> list[str]:
    """Answer the objects of messages of a queue, each an id and its objects.

    `first` says that nothing else of the same batch has taken time. Returns the ids of the messages
    that are to come again.
    """
    clock, failed = Clock(context, first), list[str]()
    with deadline.watched(clock.seconds):
        for identity, objects in messages:
            outcomes = [one(each, scoring, context, clock) for each in objects]
            if any(isinstance(outcome, NotNow) for outcome in outcomes):
                failed.append(identity)
    return failed


class Clock:
    """The time that an invocation has; `first`, if nothing has taken some of it yet."""

    def __init__(self, context: Any, first: bool = True) -> None:
        whole = seconds_left(context)
        self.seconds = whole - min(RESERVE_SECONDS, whole * RESERVE_SHARE)
        self._ends = time.perf_counter() + self.seconds
        self._first = first

    @property
    def is_whole(self) -> bool:
        """Whether what is left is as good as all of it."""
        return self._first and self.left > WHOLE_SHARE * self.seconds

    @property
    def left(self) -> float:
        """Seconds until the reserve."""
        return self._ends - time.perf_counter()


def one(each: Created, scoring: Scoring, context: Any, clock: Clock) -> Outcome | NotNow:
    """Answer one object, and write what came of it in the log, beside the lines of its batches."""
    request_id = request_log.request_id(getattr(context, "aws_request_id", ""))
    whole, left = clock.is_whole, clock.left
    try:
        outcome = score(Job(scoring, each.place, request_id, left, whole), each.etag)
    except NotNow as error:
        return error
    about = outcome._asdict()
    path = about.pop("key")[:LOGGED]
    request_log.write({"event": "object", "path": path, "request_id": request_id, **about})
    return outcome
