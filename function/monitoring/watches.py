"""The watch of each model that is served: what is counted, and where counting stops."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from onnxlet.function import request_log
from onnxlet.function.errors import InvalidRows
from onnxlet.function.messages import Prediction
from onnxlet.function.models.model import Model

if TYPE_CHECKING:
    from onnxlet.function.monitoring.layout import Layout
    from onnxlet.function.monitoring.watch import BinCounts, Figures, Watch

    ToLog = tuple[Layout, BinCounts, Mapping[str, int]]


class Watches:
    """The watch of each model that is served; never raises.

    In each block are rows of so many `keys`, clients which may all read them; 0 where blocks are of
    any rows, and only for readers. Requests of the `uncounted` id are not counted.
    """

    def __init__(
        self, on: bool = True, uncounted: str = "", logged: bool = False, keys: int = 0
    ) -> None:
        self.on, self.keys = on, keys
        self._uncounted = uncounted
        self._logged = logged
        self._lock = threading.Lock()
        # A version that is no longer served goes with its counts.
        self._watches: WeakKeyDictionary[Model, Watch | None] = WeakKeyDictionary()

    def of(self, model: Model) -> Watch | None:
        """The watch of a model; None where nothing is counted, or it has no reference."""
        if not self.on:
            return None
        try:
            return self._watches[model]
        except KeyError:
            with self._lock:
                if model not in self._watches:
                    self._watches[model] = self._begun(model)
                return self._watches[model]

    def begun(self) -> list[tuple[Model, Watch]]:
        """The watches that there are so far."""
        with self._lock:
            return [(model, watch) for model, watch in self._watches.items() if watch]

    def _begun(self, model: Model) -> Watch | None:
        if not model.manifest.get("reference"):
            return None
        from onnxlet.function.monitoring.layout import Layout  # a start does without them
        from onnxlet.function.monitoring.watch import Watch

        try:
            return Watch(Layout(model.manifest, model.signature), self._logged, self.keys)
        except Exception as error:  # of whatever class: somebody may have edited the manifest
            request_log.fail(error, event="uncounted", model=model.name)
            return None

    def figures(self, model: Model) -> Figures | None:
        """What was counted of a model; None as for its watch."""
        watch = self.of(model)
        return watch.figures() if watch else None

    def now(self) -> Watches:
        """The same, with figures of one moment where they come from several processes."""
        return self

    def wants_notes(self, model: Model) -> bool:
        """Whether something is counted that is noted as rows are run, of texts or images."""
        if not model.signature.token_feeds and not model.signature.image_feeds:
            return False
        watch = self.of(model)
        return watch is not None and watch.layout.wants_notes

    def count(self, prediction: Prediction, key: str = "") -> ToLog | None:
        """Count a request that was answered to a key; returns what is to be logged now, if any.

        Never raises: this must not fail the answer.
        """
        watch = self.of(prediction.model)
        if watch is None or prediction.request_id == self._uncounted:
            return None
        try:
            watch.count(prediction, key)
        except Exception as error:  # of whatever class; the next request would fail alike
            self._watches[prediction.model] = None
            request_log.fail(error, event="uncounted", request_id=prediction.request_id)
            return None
        if not self._logged or (counted := watch.to_log()) is None:
            return None
        return watch.layout, *counted

    def refuse(self, model: Model, error: Exception, request_id: str) -> None:
        """Count a request that got no answer: its rows by the reason, or itself by the error."""
        watch = self.of(model)
        if watch is None or request_id == self._uncounted:
            return
        if isinstance(error, InvalidRows):
            from onnxlet.function.monitoring.watch import reasons

            watch.refuse(reasons(error.every, model))
        else:
            watch.refuse([type(error).__name__])
