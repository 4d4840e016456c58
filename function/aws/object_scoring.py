"""One object in S3, answered into another, once; or refused, with the reasons beside its answers.

What may be answered later (S3 fails, others took the time) is left for the event to come again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote

from onnxlet.function import deadline, json_text, request_log
from onnxlet.function.aws.object_batches import JSON_LINES
from onnxlet.function.aws.object_run import Job, NotNow, Refused, elsewhere
from onnxlet.function.aws.s3_objects import About, Changed, Upload
from onnxlet.function.errors import Problem, RequestError, RequestTooLarge, TookTooLong
from onnxlet.function.messages import Failure, failure_of
from onnxlet.function.models.model import Model
from onnxlet.function.protocols.shared import forms, request_options

HIDDEN = ("_", ".")  # how names begin that readers of tables pass over
SOURCE_CHARACTERS, KEPT_CHARACTERS = 1000, 300  # in the metadata, for which S3 has 2 KB
MARK = "onnxlet-"  # how our members of the metadata begin
ANSWERED, REFUSED, AGAIN, GONE, PASSED = "answered", "refused", "again", "gone", "passed over"


class Outcome(NamedTuple):
    """What came of an object."""

    key: str  # of the object
    # Answered, refused, again (it was answered before), gone (or there is a newer one), or passed
    # over (its name is hidden or a folder's, or it is elsewhere).
    state: str
    rows: int = 0  # how many it has, as far as they were read
    unanswered: int = 0  # how many of them were not answered, with their reasons beside the answers


def score(job: Job, etag: str) -> Outcome:
    """Answer one object, unless that was done before.

    The event has the `etag` of its content, or an empty text. Raises NotNow where it may be
    answered at another time.
    """
    key, come = job.source.key, job.scoring.come
    try:
        if not (job.source.bucket == come.bucket and key.startswith(come.key)):
            _log(job, 404, "OtherPlace")
            return Outcome(key, PASSED)
        # As a reader of a folder of tables would.
        if key.endswith("/") or any(part.startswith(HIDDEN) for part in job.path.parts):
            return Outcome(key, PASSED)
        about = job.scoring.objects.about(job.source, may_list=True)
        if about is None or etag not in ("", about.etag):
            return Outcome(key, GONE)  # of the newer one there is an event, too
        return _answer(job, about)
    except Changed:
        return Outcome(key, GONE)
    except NotNow:
        raise
    except Exception as error:  # botocore's, of many classes; and a failure of ours
        _log(job, 503, request_log.described(error, job.request_id))
        raise NotNow(type(error).__name__) from error


def _log(job: Job, status: int, error: str) -> None:
    """Write the line of what no batch has a line for."""
    job.scoring.log({**job.entry, "status": status, "error": error})


def _answer(job: Job, about: About) -> Outcome:
    """Answer this version of the object, or refuse it.

    Raises Changed where there is another one meanwhile, NotNow where it may be answered at another
    time.
    """
    mark = _mark(job, about)
    try:
        model = _model(job, about)
        mark[f"{MARK}model"] = f"{model.name}/{model.version} {_graph(model)}"
        if _is_done(job, mark):
            return Outcome(job.source.key, AGAIN)
        deadline.begin(job.start, job.seconds)
        try:
            job.answer(about, model, _marked(mark, ANSWERED))
        finally:
            deadline.end()
    except (Refused, RequestError) as error:
        _refuse(job, _failure(job, error), mark)
        return Outcome(job.source.key, REFUSED, job.rows, job.rows)
    return Outcome(job.source.key, ANSWERED, job.rows, job.unanswered)


def _mark(job: Job, about: About) -> dict[str, str]:
    """What its answers depend on, beside the model; they bear it as metadata."""
    mark = {"source": quote(job.source.key)[:SOURCE_CHARACTERS], "etag": about.etag}
    mark |= {name: about.metadata[name] for name in request_options.NAMES if name in about.metadata}
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


def _failure(job: Job, error: Refused | RequestError) -> Failure:
    """Why it is refused; raises NotNow where it is not, but has too little time now."""
    if isinstance(error, Refused):  # a batch, which has its line in the log
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


def _graph(model: Model) -> str:
    """The beginning of the graph's hash: a version of another build may have the same number."""
    return str(model.manifest.get("files", {}).get("model.onnx", ""))[:12]
