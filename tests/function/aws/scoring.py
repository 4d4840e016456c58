"""Objects answered in this process, and the same rows over HTTP."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from onnxlet.function import request_log
from onnxlet.function.app import SERVICE, create_app
from onnxlet.function.aws import s3_events
from onnxlet.function.aws.object_run import Scoring
from onnxlet.function.aws.s3_objects import Objects
from onnxlet.function.monitoring.watches import Watches
from onnxlet.function.serving.service import Service
from onnxlet.function.settings import Settings
from tests.events import CONTEXT, make_s3_event
from tests.function.aws.bucket import S3

FROM, TO = "s3://in/come/", "s3://out/go/"
ROWS = 7  # in a batch


@dataclass
class Site:
    """Models, S3, and what joins them: a function.

    Attributes:
        models: folder of model directories.
        s3: in memory.
        settings: beside the models' folder.
        seconds: that Lambda gives.
        rows: in a batch.
    """

    models: Path
    s3: S3
    settings: Settings = field(default_factory=Settings)
    seconds: float = 60
    rows: int = ROWS

    def __post_init__(self) -> None:
        given = self.settings._replace(models=self.models, score_from=FROM, score_to=TO)
        given = given._replace(max_rows=self.rows)
        self.app = create_app(self.models, settings=given, watches=Watches(logged=True))
        self.lines: list[dict[str, Any]] = []

    @property
    def service(self) -> Service:
        served: Service = self.app.extensions[SERVICE]
        return served

    @property
    def scoring(self) -> Scoring:
        return s3_events.scoring_of(self.service, self._log, Objects(self.s3))

    def _log(self, entry: dict[str, Any]) -> None:
        self.lines.append(entry)
        request_log.write(entry)

    def context(self) -> Any:
        """Lambda's."""
        left = lambda: self.seconds * 1000  # noqa: E731
        return SimpleNamespace(**vars(CONTEXT), get_remaining_time_in_millis=left)

    def come(self, key: str, content: bytes, **more: Any) -> dict[str, Any]:
        """Upload an object, and hand on its event; what came of it."""
        etag = self.s3.store(f"come/{key}", content, **more)
        return self.again(key, etag)

    def again(self, key: str, etag: str = "") -> dict[str, Any]:
        """Hand on an event of an object that is there."""
        found = s3_events.created(make_s3_event(f"come/{key}", etag))
        assert found is not None
        [outcome] = s3_events.answer(found, self.scoring, self.context())["objects"]
        return dict(outcome)

    def over_http(self, model: str, body: bytes, kind: str, query: str = "") -> Any:
        """The answer to one batch, its numbers as they are written."""
        path = f"/models/{model}/predict?on_error=null{query}"
        got = self.app.test_client().post(path, data=body, content_type=kind)
        assert got.status_code == 200, got.data
        return exact(got.data)


class Number(str):
    """A number as it is written."""


def exact(text: bytes) -> Any:
    """JSON whose numbers are compared by their digits."""
    return json.loads(text, parse_float=Number, parse_int=Number)


def as_csv(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    """A CSV file; None is an empty field."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([names, *rows])
    return text.getvalue().encode()


def as_lines(rows: Sequence[Any]) -> bytes:
    """JSON Lines."""
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def read_lines(content: bytes) -> list[Any]:
    return [exact(line) for line in content.splitlines()]


def read_csv(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline="")))
