"""The rows of one object, answered in batches within memory and time."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from onnxlet.function import deadline, json_text, request_log
from onnxlet.function.aws.native_events import answer_logged
from onnxlet.function.aws.object_answers import WRITE, columns_of
from onnxlet.function.aws.object_batches import (
    CSV,
    JSON_LINES,
    READ,
    SUFFIXES,
    Limits,
    ObjectBatch,
    unpacked,
)
from onnxlet.function.aws.s3_objects import About, Changed, Objects, S3Location, Upload, ranges
from onnxlet.function.errors import Problem, TookTooLong, UnsupportedMedia
from onnxlet.function.messages import Failure, Prediction, PredictRequest
from onnxlet.function.models.model import Model
from onnxlet.function.protocols.shared import forms, request_options
from onnxlet.function.serving.service import Service

PACKED = ".gz"
TABLES = (".parquet", ".pq", ".feather", ".arrow")  # which are read elsewhere
MEDIA_TYPES = {CSV: "text/csv; charset=utf-8", JSON_LINES: JSON_LINES}
LOGGED = 200  # characters of a key, as of a path
FIRST_SHARE = 0.2  # of the time, after which it is estimated how long the whole will take
MARGIN = 1.5  # times the time that there is: what would take longer is not gone on with


@dataclass(frozen=True)
class Scoring:
    """Where objects come from and go to, and what answers them."""

    service: Service  # answers
    objects: Objects  # S3
    come: S3Location  # bucket and prefix of the objects
    go: S3Location  # bucket and prefix of their answers
    keep: Sequence[str]  # names of columns that go along with the answers
    log: request_log.Log  # writes a line for each batch


@dataclass(eq=False)
class NotNow(Exception):
    """An object that may be answered when its event comes again."""

    kind: str  # of the error, which is in the log


@dataclass(eq=False)
class RefusedBatch(Exception):
    """A batch that no try will answer; it is in the log."""

    failure: Failure  # with the rows' indices in the object


def elsewhere(place: S3Location) -> str:
    """What to do with an object that is not for a function."""
    return f"score it on a machine: onnxlet score MODEL 's3://{place.bucket}/{place.key}' OUT"


@dataclass
class Job:
    """One object, to be answered once: where it is, where its answers go, and the time."""

    scoring: Scoring
    source: S3Location
    request_id: str  # for the log
    seconds: float  # that it may take
    whole: bool  # that is all the time that an object can get here
    # When it began, on the clock of time.perf_counter.
    start: float = field(default_factory=time.perf_counter, init=False)
    rows: int = field(default=0, init=False)  # that were answered or not, so far
    unanswered: int = field(default=0, init=False)  # these of them

    def __post_init__(self) -> None:
        below = self.source.key.removeprefix(self.scoring.come.key)
        folder, slash, name = below.rpartition("/")
        go = self.scoring.go
        self.path = PurePosixPath(below)
        self.target = S3Location(go.bucket, go.key + below)  # of the answers
        # Of the reasons why some rows were not answered.
        self.side = S3Location(go.bucket, f"{go.key}{folder}{slash}_{name}.problems.jsonl")

    @property
    def entry(self) -> dict[str, Any]:
        """How a line of the log begins."""
        path = self.source.key[:LOGGED]
        return {"method": "object", "path": path, "request_id": self.request_id}

    def answer(self, about: About, model: Model, mark: Mapping[str, str]) -> None:
        """Answer all rows of this version, with `mark` as metadata; or have nothing there.

        Raises Refused or RequestError where no try will answer it, TookTooLong where there is not
        enough time, Changed where it is another version meanwhile, NotNow where a batch failed.
        """
        media_type = media_type_of(self.source, about)
        objects, packed = self.scoring.objects, self.source.key.lower().endswith(PACKED)
        written = "application/gzip" if packed else MEDIA_TYPES[media_type]
        target = Upload(objects, self.target, written, mark, packed)
        side = Upload(objects, self.side, JSON_LINES, mark)
        try:
            self._answer(about, model, media_type, target, side)
            now = objects.about(self.source, may_list=True)
            if now is None or now.etag != about.etag:
                raise Changed(self.source)
            # The reasons first: whoever sees the answers finds them there.
            if self.unanswered:
                side.close()
            elif objects.about(self.side):
                objects.delete(self.side)  # of another version
            target.close()
        except BaseException:
            target.drop()
            side.drop()
            raise

    def _answer(
        self, about: About, model: Model, media_type: str, target: Upload, side: Upload
    ) -> None:
        keep, settings = self.scoring.keep, self.scoring.service.settings
        asked = about.metadata.get(forms.UNUSUAL)
        always = settings.unusual == "on" and forms.UNUSUAL in model.manifest
        marked = asked == "true" or (asked is None and always)
        columns = columns_of(model, keep, "coverage" in about.metadata, marked)
        head, write = WRITE[media_type]
        target.write(head(columns))
        limits = Limits(settings.max_rows, settings.max_unpacked_bytes)
        content = deadline.Blocks(ranges(self.scoring.objects, self.source, about))
        with unpacked(io.BufferedReader(content)) as stream:
            for batch in READ[media_type](stream, model.signature, keep, limits):
                prediction = self._predict(batch, about, model)
                target.write(write(prediction, columns, batch.kept()))
                moved = [_moved(each, batch.first) for each in prediction.problems]
                located = forms.located(moved)
                side.write(b"".join(json_text.dumps(each) + b"\n" for each in located))
                self.unanswered += len({each.row for each in moved})
                self.rows += batch.rows
                self._check_pace(content.come / max(1, about.size))

    def _predict(self, batch: ObjectBatch, about: About, model: Model) -> Prediction:
        """Answer a batch as a request is answered: counted, logged, watched."""
        asked = {
            name: about.metadata[name] for name in request_options.NAMES if name in about.metadata
        }

        def encode(prediction: Prediction, request: PredictRequest) -> Prediction | Failure:
            return prediction

        answer = answer_logged(
            self.scoring.service,
            self.scoring.log,
            self.entry,
            lambda: request_options.with_texts(batch.decode(), asked)._replace(model=model.name),
            encode,
            lambda failure: failure,
        )
        if isinstance(answer, Prediction):
            return answer
        if answer.kind == TookTooLong.__name__:
            raise TookTooLong(answer.detail)
        if answer.status >= 500:
            raise NotNow(answer.kind)
        detail = f"rows {batch.first} to {batch.first + batch.rows - 1}: {answer.detail}"
        moved = [_moved(each, batch.first) for each in answer.problems]
        raise RefusedBatch(answer._replace(detail=detail, problems=moved))

    def _check_pace(self, share: float) -> None:
        """Go on only where the time may be enough; `share` of the object was read."""
        took = time.perf_counter() - self.start
        if took > FIRST_SHARE * self.seconds and took > MARGIN * share * self.seconds:
            raise TookTooLong(f"the whole would take {took / share:.0f} seconds")


def media_type_of(place: S3Location, about: About) -> str:
    """CSV or JSON Lines, by a key's suffix, or by the media type that it was uploaded with.

    Raises UnsupportedMedia where it is neither.
    """
    path = PurePosixPath(place.key.lower().removesuffix(PACKED))
    given = about.media_type.partition(";")[0].strip().lower()
    media_type = SUFFIXES.get(path.suffix) or (given if given in READ else None)
    if media_type is not None:
        return media_type
    hint = "Upload CSV with a header (.csv), or a row in JSON on each line (.jsonl); also as .gz."
    if path.suffix in TABLES:
        hint = f"Upload CSV or JSON Lines, or {elsewhere(place)}"
    raise UnsupportedMedia(f"'{path.name:.100}' is neither CSV nor JSON Lines", hint)


def _moved(problem: Problem, first: int) -> Problem:
    return problem if problem.row is None else problem._replace(row=problem.row + first)
