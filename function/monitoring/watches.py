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


NOTED = frozenset({"unknown_tokens", "brightness", "contrast"})  # measures of texts and images


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
        watch = self._watch(model)
        try:
            return watch if watch is not None and watch.layout else None
        except Exception as error:  # of whatever class: somebody may have edited the manifest
            self._give_up(model, error, model=model.name)
            return None

    def _watch(self, model: Model) -> Watch | None:
        """The same; whether its bins can be made shows only once rows are counted."""
        if not self.on:
            return None
        try:
            return self._watches[model]
        except KeyError:
            with self._lock:
                if model not in self._watches:
                    self._watches[model] = self._begun(model)
                return self._watches[model]

    def _give_up(self, of: Model, error: Exception, **more: str) -> None:
        """Count nothing of a model from now on: the next request would fail alike."""
        if self._watches.get(of) is not None:
            self._watches[of] = None
            request_log.fail(error, event="uncounted", **more)

    def begun(self) -> list[tuple[Model, Watch]]:
        """The watches that there are so far."""
        with self._lock:
            models = list(self._watches)
        return [(model, watch) for model in models if (watch := self.of(model))]

    def _begun(self, model: Model) -> Watch | None:
        if not model.manifest.get("reference"):
            return None
        from onnxlet.function.monitoring.watch import Watch  # a start does without it

        manifest, signature = model.manifest, model.signature

        def layout() -> Layout:  # without the model, which goes once it is not served any more
            from onnxlet.function.monitoring.layout import Layout  # it takes NumPy

            return Layout(manifest, signature)

        return Watch(layout, self._logged, self.keys)

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
        features = (model.manifest.get("reference") or {}).get("features", ())
        return self.on and any(each.get("measure") in NOTED for each in features)

    def count(self, prediction: Prediction, key: str = "") -> ToLog | None:
        """Count a request that was answered to a key; returns what is to be logged now, if any.

        Never raises: this must not fail the answer.
        """
        watch = self._watch(prediction.model)
        if watch is None or prediction.request_id == self._uncounted:
            return None
        try:
            watch.count(prediction, key)
        except Exception as error:  # of whatever class
            self._give_up(prediction.model, error, request_id=prediction.request_id)
            return None
        if not self._logged or (counted := watch.to_log()) is None:
            return None
        return watch.layout, *counted

    def refuse(self, model: Model, error: Exception, request_id: str) -> None:
        """Count a request that got no answer: its rows by the reason, or itself by the error."""
        watch = self._watch(model)
        if watch is None or request_id == self._uncounted:
            return
        if isinstance(error, InvalidRows):
            from onnxlet.function.monitoring.watch import reasons

            watch.refuse(reasons(error.every, model))
        else:
            watch.refuse([type(error).__name__])
