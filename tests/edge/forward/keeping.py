"""A writer with what it logs, and what a queue holds."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from onnxlet.edge.forward.queue import Batch, Queue
from onnxlet.edge.forward.records import Clock, Record
from onnxlet.edge.store.writer import Writer

MB = 1_000_000
CLOCK = Clock("boot")


def ids(batch: Batch | None) -> list[str]:
    assert batch is not None
    return [record["prediction"]["id"] for record in json.loads(batch.body)["records"]]


def emptied(queue: Queue) -> list[str]:
    found: list[str] = []
    while batch := queue.take():
        found += ids(batch)
        queue.arrived()
    return found


class Keeping:
    """A writer, and what it logs."""

    def __init__(self, path: Path, gather: float = 0.0, largest: int = MB) -> None:
        self.path = path
        self.lines: list[dict[str, Any]] = []
        self.open = partial(Queue, path, CLOCK, 10 * MB, 3600)
        self.writer = Writer(
            path, self.open, largest=largest, gather_seconds=gather, log=self.lines.append
        )
        self.writer.start()

    def keep(self, name: str, size: int = 0, **how: bool) -> bool:
        body = json.dumps({"id": name, "fill": "x" * size}).encode()
        record = Record("prediction", name, body, CLOCK.monotonic_ns(), CLOCK.time_ns())
        return self.writer.keep(record, wait=how.get("wait", True), strict=how.get("strict", False))

    def kept(self) -> list[str]:
        queue = self.open()
        try:
            return emptied(queue)
        finally:
            queue.close()
