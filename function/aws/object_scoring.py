"""One object in S3, answered into another, once; or refused, with the reasons beside its answers.

What may be answered later (S3 fails, others took the time) is left for the event to come again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import NamedTuple
from urllib.parse import quote

from onnxlet.function import deadline, json_text, request_log
from onnxlet.function.aws.object_batches import JSON_LINES
from onnxlet.function.aws.object_run import (
    OPTIONS,
    NotNow,
    Refused,
    Run,
    Scoring,
    elsewhere,
    entry_of,
)
from onnxlet.function.aws.s3_objects import About, Changed, Place, Upload
from onnxlet.function.errors import Problem, RequestError, RequestTooLarge, TookTooLong
from onnxlet.function.messages import Failure, failure_of
from onnxlet.function.models.model import Model
from onnxlet.function.protocols import common

HIDDEN = ("_", ".")  # how names begin that readers of tables pass over
SOURCE_CHARACTERS, KEPT_CHARACTERS = 1000, 300  # in the metadata, for which S3 has 2 KB
MARK = "onnxlet-"  # how our members of the metadata begin
ANSWERED, REFUSED, AGAIN, GONE, PASSED = "answered", "refused", "again", "gone", "passed over"


class Outcome(NamedTuple):
    """What came of an object.

    Attributes:
        key: of the object.
        state: answered, refused, again (it was answered before), gone (or there is a newer one),
            or passed over (its name is hidden or a folder's, or it is elsewhere).
        rows: how many it has, as far as they were read.
        unanswered: how many of them were not answered, with their reasons beside the answers.
    """

    key: str
    state: str
    rows: int = 0
    unanswered: int = 0


def score(
    scoring: Scoring, place: Place, etag: str, request_id: str, seconds: float, whole: bool
) -> Outcome:
    """Answer one object, unless that was done before.

    Args:
        scoring: where to, and by what.
        place: of the object.
        etag: of its content, as the event has it; empty where it has none.
        request_id: for the log.
        seconds: that it may take.
        whole: that is all the time that an object can get here.

    Raises:
        NotNow: it may be answered at another time.
    """
    one = _One(scoring, place, request_id, seconds, whole)
    try:
        if not (place.bucket == scoring.come.bucket and place.key.startswith(scoring.come.key)):
            one.log(404, "OtherPlace")
            return Outcome(place.key, PASSED)
        if one.is_passed_over:
            return Outcome(place.key, PASSED)
        about = scoring.objects.about(place, may_list=True)
        if about is None or etag not in ("", about.etag):
            return Outcome(place.key, GONE)  # of the newer one there is an event, too
        return one.answer(about)
    except Changed:
        return Outcome(place.key, GONE)
    except NotNow:
        raise
    except Exception as error:  # botocore's, of many classes; and a failure of ours
        one.log(503, request_log.described(error, request_id))
        raise NotNow(type(error).__name__) from error


class _One:
    """What is known while one object is answered."""

    def __init__(
        self, scoring: Scoring, place: Place, request_id: str, seconds: float, whole: bool
    ) -> None:
        self._scoring, self._objects, self._place = scoring, scoring.objects, place
        self._request_id, self._seconds, self._whole = request_id, seconds, whole
        self._start = time.perf_counter()
        below = place.key.removeprefix(scoring.come.key)
        folder, slash, name = below.rpartition("/")
        self._path = PurePosixPath(below)
        self._target = Place(scoring.go.bucket, scoring.go.key + below)
        beside = f"{scoring.go.key}{folder}{slash}_{name}.problems.jsonl"
        self._side = Place(scoring.go.bucket, beside)

    @property
    def is_passed_over(self) -> bool:
        """Whether a reader of a folder of tables would pass it over."""
        hidden = any(part.startswith(HIDDEN) for part in self._path.parts)
        return hidden or self._place.key.endswith("/")

    def log(self, status: int, error: str) -> None:
        """Write the line of what no batch has a line for."""
        line = entry_of(self._place, self._request_id)
        self._scoring.log({**line, "status": status, "error": error})

    def answer(self, about: About) -> Outcome:
        """Answer this version of the object, or refuse it.

        Raises:
            Changed: there is another one meanwhile.
            NotNow: it may be answered at another time.
        """
        mark, run = self._mark(about), None
        try:
            model = self._model(about)
            mark[f"{MARK}model"] = f"{model.name}/{model.version} {_graph(model)}"
            if self._is_done(mark):
                return Outcome(self._place.key, AGAIN)
            run = Run(
                self._scoring, self._place, about, model, self._target, self._side,
                _marked(mark, ANSWERED), self._request_id, self._start, self._seconds,
            )  # fmt: skip
            deadline.begin(self._start, self._seconds)
            try:
                run.answer()
            finally:
                deadline.end()
        except (Refused, RequestError) as error:
            rows = 0 if run is None else run.rows
            self._refuse(self._failure(error, rows), mark)
            return Outcome(self._place.key, REFUSED, rows, rows)
        return Outcome(self._place.key, ANSWERED, run.rows, run.unanswered)

    def _mark(self, about: About) -> dict[str, str]:
        """What its answers depend on, beside the model; they bear it as metadata."""
        mark = {"source": quote(self._place.key)[:SOURCE_CHARACTERS], "etag": about.etag}
        mark |= {name: about.metadata[name] for name in OPTIONS if name in about.metadata}
        if self._scoring.keep:
            mark["keep"] = quote(",".join(self._scoring.keep))[:KEPT_CHARACTERS]
        return {MARK + name: text for name, text in mark.items()}

    def _model(self, about: About) -> Model:
        """The one that the object's first folder names, or its metadata; or that is served."""
        repository, folder = self._scoring.service.repository, self._path.parts[0]
        if len(self._path.parts) > 1 and folder in repository.names:
            return repository.choose(folder)
        return repository.choose(about.metadata.get("model"))

    def _is_done(self, mark: Mapping[str, str]) -> bool:
        """Whether this very version was answered, or refused, by this very model."""
        for place, state in ((self._target, ANSWERED), (self._side, REFUSED)):
            there = self._objects.about(place)
            metadata = there.metadata.items() if there else ()
            if {k: v for k, v in metadata if k.startswith(MARK)} == _marked(mark, state):
                return True
        return False

    def _failure(self, error: Refused | RequestError, rows: int) -> Failure:
        """Why it is refused.

        Raises:
            NotNow: it is not, but has too little time now.
        """
        if isinstance(error, Refused):  # a batch, which has its line in the log
            return error.failure
        if isinstance(error, TookTooLong):
            if not self._whole:
                self.log(503, type(error).__name__)
                raise NotNow(type(error).__name__) from error
            took = time.perf_counter() - self._start
            detail = (
                f"the object is too large to be answered in {self._seconds:.0f} seconds: its first "
                f"{rows} rows took {took:.0f}"
            )
            error = RequestTooLarge(detail, f"Split it, or {elsewhere(self._place)}")
        failure = failure_of(error)
        self.log(failure.status, failure.kind)
        return failure

    def _refuse(self, failure: Failure, mark: Mapping[str, str]) -> None:
        """Write the reasons beside where the answers would be; no others' answers stay there."""
        problems = list(failure.problems) or [Problem(None, None, failure.detail)]
        first, *others = common.located(problems)
        first |= {"status": failure.status, "hint": common.unicode(failure.hint)}
        side = Upload(self._objects, self._side, JSON_LINES, _marked(mark, REFUSED))
        side.write(b"".join(json_text.dumps(each) + b"\n" for each in (first, *others)))
        side.close()
        if self._objects.about(self._target):
            self._objects.delete(self._target)


def _marked(mark: Mapping[str, str], state: str) -> dict[str, str]:
    return {**mark, f"{MARK}state": state}


def _graph(model: Model) -> str:
    """The beginning of the graph's hash: a version of another build may have the same number."""
    return str(model.manifest.get("files", {}).get("model.onnx", ""))[:12]
