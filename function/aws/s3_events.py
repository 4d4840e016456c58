"""Events of objects that came into S3: each is answered into an object elsewhere.

They come from the bucket itself (directly, or by a topic), from EventBridge, or in messages of an
SQS queue. Each comes at least once, and in any order.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, unquote_plus

from onnxlet.function import deadline, json_text, request_log
from onnxlet.function.aws import s3_objects
from onnxlet.function.aws.native_events import seconds_left
from onnxlet.function.aws.object_batches import JSON_LINES
from onnxlet.function.aws.object_run import LOGGED, Job, NotNow, RefusedBatch, Scoring, elsewhere
from onnxlet.function.aws.s3_objects import About, Changed, Objects, S3Location, Upload, place_of
from onnxlet.function.errors import (
    MalformedRequest,
    OnnxletError,
    Problem,
    RequestError,
    RequestTooLarge,
    SettingsError,
    TookTooLong,
)
from onnxlet.function.messages import Failure, failure_of
from onnxlet.function.models.model import Model
from onnxlet.function.protocols.shared import forms, request_options
from onnxlet.function.serving.service import Service

HIDDEN = ("_", ".")  # how names begin that readers of tables pass over
SOURCE_CHARACTERS, KEPT_CHARACTERS = 1000, 300  # in the metadata, for which S3 has 2 KB
MARK = "onnxlet-"  # how our members of the metadata begin
ANSWERED, REFUSED, AGAIN, GONE, PASSED = "answered", "refused", "again", "gone", "passed over"


class ObjectResult(NamedTuple):
    """What came of an object."""

    key: str  # of the object
    # Answered, refused, again (it was answered before), gone (or there is a newer one), or passed
    # over (its name is hidden or a folder's, or it is elsewhere).
    state: str
    rows: int = 0  # how many it has, as far as they were read
    unanswered: int = 0  # how many of them were not answered, with their reasons beside the answers


def score(job: Job, etag: str) -> ObjectResult:
    """Answer one object, unless that was done before.

    The event has the `etag` of its content, or an empty text. Raises NotNow where it may be
    answered at another time.
    """
    key, come = job.source.key, job.scoring.come
    try:
        if not (job.source.bucket == come.bucket and key.startswith(come.key)):
            _log(job, 404, "OtherPlace")
            return ObjectResult(key, PASSED)
        # As a reader of a folder of tables would.
        if key.endswith("/") or any(part.startswith(HIDDEN) for part in job.path.parts):
            return ObjectResult(key, PASSED)
        about = job.scoring.objects.about(job.source, may_list=True)
        if about is None or etag not in ("", about.etag):
            return ObjectResult(key, GONE)  # of the newer one there is an event, too
        return _answer(job, about)
    except Changed:
        return ObjectResult(key, GONE)
    except NotNow:
        raise
    except Exception as error:  # botocore's, of many classes; and a failure of ours
        _log(job, 503, request_log.described(error, job.request_id))
        raise NotNow(type(error).__name__) from error


def _log(job: Job, status: int, error: str) -> None:
    """Write the line of what no batch has a line for."""
    job.scoring.log({**job.entry, "status": status, "error": error})


def _answer(job: Job, about: About) -> ObjectResult:
    """Answer this version of the object, or refuse it."""
    mark = _mark(job, about)
    try:
        model = _model(job, about)
        # With the beginning of its graph's hash: a version of another build may have its number.
        graph = str(model.manifest.get("files", {}).get("model.onnx", ""))[:12]
        mark[f"{MARK}model"] = f"{model.name}/{model.version} {graph}"
        if _is_done(job, mark):
            return ObjectResult(job.source.key, AGAIN)
        deadline.begin(job.start, job.seconds)
        try:
            job.answer(about, model, _marked(mark, ANSWERED))
        finally:
            deadline.end()
    except (RefusedBatch, RequestError) as error:
        _refuse(job, _failure(job, error), mark)
        return ObjectResult(job.source.key, REFUSED, job.rows, job.rows)
    return ObjectResult(job.source.key, ANSWERED, job.rows, job.unanswered)


def _mark(job: Job, about: About) -> dict[str, str]:
    """What its answers depend on, beside the model; they bear it as metadata."""
    mark = {"source": quote(job.source.key)[:SOURCE_CHARACTERS], "etag": about.etag}
    mark |= {name: about.metadata[name] for name in request_options.NAMES if name in about.metadata}
    if (unusual := job.scoring.service.settings.unusual) != "off":
        mark["always"] = unusual
    if job.scoring.keep:
        mark["keep"] = quote(",".join(job.scoring.keep))[:KEPT_CHARACTERS]
    return {MARK + name: text for name, text in mark.items()}


def _model(job: Job, about: About) -> Model:
    """The one that the object's first folder names, or its metadata; or that is served."""
    repository, folder = job.scoring.service.repository, job.path.parts[0]
    if len(job.path.parts) > 1 and folder in repository.names:
        return repository.choose(folder)
    return repository.choose(about.metadata.get("model"))


def _is_done(job: Job, mark: Mapping[str, str]) -> bool:
    """Whether this very version was answered, or refused, by this very model."""
    for place, state in ((job.target, ANSWERED), (job.side, REFUSED)):
        there = job.scoring.objects.about(place)
        metadata = there.metadata.items() if there else ()
        if {k: v for k, v in metadata if k.startswith(MARK)} == _marked(mark, state):
            return True
    return False


def _failure(job: Job, error: RefusedBatch | RequestError) -> Failure:
    """Why it is refused; raises NotNow where it is not, but has too little time now."""
    if isinstance(error, RefusedBatch):  # a batch, which has its line in the log
        return error.failure
    if isinstance(error, TookTooLong):
        if not job.whole:
            _log(job, 503, type(error).__name__)
            raise NotNow(type(error).__name__) from error
        took = time.perf_counter() - job.start
        detail = (
            f"the object is too large to be answered in {job.seconds:.0f} seconds: its first "
            f"{job.rows} rows took {took:.0f}"
        )
        error = RequestTooLarge(detail, f"Split it, or {elsewhere(job.source)}")
    failure = failure_of(error)
    _log(job, failure.status, failure.kind)
    return failure


def _refuse(job: Job, failure: Failure, mark: Mapping[str, str]) -> None:
    """Write the reasons beside where the answers would be; no others' answers stay there."""
    objects = job.scoring.objects
    problems = list(failure.problems) or [Problem(None, None, failure.detail)]
    first, *others = forms.located(problems)
    first |= {"status": failure.status, "hint": forms.unicode(failure.hint)}
    side = Upload(objects, job.side, JSON_LINES, _marked(mark, REFUSED))
    side.write(b"".join(json_text.dumps(each) + b"\n" for each in (first, *others)))
    side.close()
    if objects.about(job.target):
        objects.delete(job.target)


def _marked(mark: Mapping[str, str], state: str) -> dict[str, str]:
    return {**mark, f"{MARK}state": state}


SOURCE = "aws:s3"
BRIDGE = ("aws.s3", "Object Created")  # source and detail-type
CREATED = "ObjectCreated:"
TEST = "s3:TestEvent"  # which a bucket sends when it is set up
RESERVE_SECONDS = 5.0  # kept to write the last part, or a refusal
RESERVE_SHARE = 0.2  # ... of a short time at most
WHOLE_SHARE = 0.9  # of an invocation's time, with which an object has as good as all of it


class Created(NamedTuple):
    """An object that came."""

    place: S3Location  # bucket and key
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
        yield Created(S3Location(about["bucket"]["name"], found["key"]), found.get("etag", ""))
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
                place = S3Location(record["s3"]["bucket"]["name"], unquote_plus(found["key"]))
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
    clock = Clock(context)
    with deadline.watched(clock.seconds):
        outcomes = [one(each, scoring, context, clock) for each in objects]
    if late := [each.kind for each in outcomes if isinstance(each, NotNow)]:
        raise NotAnswered(f"{len(late)} of {len(objects)} objects not answered: {', '.join(late)}")
    return {"objects": [each._asdict() for each in outcomes if isinstance(each, ObjectResult)]}


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

    def left(self) -> tuple[float, bool]:
        """Seconds until the reserve, and whether they are as good as all of them."""
        left = self._ends - time.perf_counter()
        return left, self._first and left > WHOLE_SHARE * self.seconds


def one(each: Created, scoring: Scoring, context: Any, clock: Clock) -> ObjectResult | NotNow:
    """Answer one object, and write what came of it in the log, beside the lines of its batches."""
    request_id = request_log.request_id(getattr(context, "aws_request_id", ""))
    left, whole = clock.left()
    try:
        outcome = score(Job(scoring, each.place, request_id, left, whole), each.etag)
    except NotNow as error:
        return error
    about = outcome._asdict()
    path = about.pop("key")[:LOGGED]
    request_log.write({"event": "object", "path": path, "request_id": request_id, **about})
    return outcome
