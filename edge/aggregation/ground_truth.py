"""What came of predictions, the same whichever worker is asked.

All workers keep answers in one database. Each counts the truths in there in the order in which they
were joined, whichever process has joined them. So all have the same figures where they began alike:
a worker that starts goes on with another one's.
"""

from __future__ import annotations

import threading
from itertools import count
from typing import TYPE_CHECKING, Any

from onnxlet.edge.aggregation import json_values
from onnxlet.edge.reload.descriptions import hash_of
from onnxlet.function import json_text

if TYPE_CHECKING:
    from onnxlet.edge.aggregation.link import Link
    from onnxlet.edge.predictions.performance import Performance
    from onnxlet.edge.predictions.prediction_store import Known, PredictionStore
    from onnxlet.function.models.model import Model

FIGURES, JOINED, WRITE, WRITTEN = "realised", "joined", "write", "written"
WAIT_SECONDS = 1.0  # for the others to write what they have in memory


class SharedTruth:
    """What a worker's prediction store knows of the others'."""

    def __init__(self, link: Link, keep: PredictionStore) -> None:
        self._link = link
        self._keep = keep  # this worker's; it is given this one as its `shared`
        self._numbers = count()
        self._written: dict[bytes, threading.Semaphore] = {}
        self._made: dict[tuple[str, int], tuple[Known, dict[str, Any]]] = {}
        keep.shared = self
        link.hear(JOINED, lambda message: keep.look())
        link.hear(WRITE, self._write)
        link.hear(WRITTEN, self._hear_written)
        link.provide(FIGURES, self._state)

    def tell(self) -> None:
        """Have the others count what was joined here."""
        self._link.tell(JOINED, b"")

    def have_written(self) -> None:
        """Have the others write the answers that they have in memory; waits for it."""
        others = len(self._link.collect(FIGURES))
        token = f"{self._link.number} {next(self._numbers)}".encode()
        done = self._written[token] = threading.Semaphore(0)
        self._link.tell(WRITE, token)
        for _ in range(others):
            if not done.acquire(timeout=WAIT_SECONDS):
                break
        del self._written[token]

    def read(self, model: Model, realised: Performance) -> int | None:
        """Go on with the figures of the worker that has counted the most of a version.

        `realised` has its figures here, without a row. Returns the number of the last row that is
        in them; None where no other worker has counted it.
        """
        found = [
            each
            for state in self._link.collect(FIGURES)
            for each in json_text.loads(state)
            if (each["model"], each["version"]) == (model.name, model.version)
            and each["manifest"] == hash_of(model.manifest)
        ]
        if not found:
            return None
        best = max(found, key=lambda each: (each["rows"], each["last"]))
        realised.remember(json_values.read(best["memory"]))
        return int(best["last"])

    def _write(self, token: bytes) -> None:
        self._keep.write()
        self._link.tell(WRITTEN, token)

    def _hear_written(self, token: bytes) -> None:
        if done := self._written.get(token):
            done.release()

    def _state(self) -> bytes:
        with self._keep.reading:
            known = self._keep.known()
            for key, each in known.items():
                before, _ = self._made.get(key, (None, {}))
                if each != before and each.realised is not None:
                    self._made[key] = each, _entry(each.model, each.realised, each.last)
        for key in self._made.keys() - known.keys():
            del self._made[key]
        return json_text.dumps([entry for _, entry in self._made.values()])


def _entry(model: Model, realised: Performance, last: int | None) -> dict[str, Any]:
    rows, memory = realised.memory()
    about = {"model": model.name, "version": model.version, "manifest": hash_of(model.manifest)}
    return {**about, "rows": rows, "last": last or 0, "memory": json_values.written(memory)}
