"""The watches of several workers: each counts its own rows, and reports are of all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet

from onnxlet.function import request_log
from onnxlet.function.models.model import Model
from onnxlet.function.monitoring.watches import Watches

if TYPE_CHECKING:
    from onnxlet.edge.aggregation.row_counts import RowCounts
    from onnxlet.function.monitoring.watch import Figures, Watch

Key = tuple[str, int, str]  # of a model: name, version and the hash of its layout
Entries = Iterable[Mapping[str, Any]]


class SharedWatches(Watches):
    """This worker's watches, with figures of all workers.

    Nothing is counted where it is not `on`, nor of requests of the id `uncounted`; a block has to
    have rows of so many keys.
    """

    def __init__(
        self, on: bool, uncounted: str, collect: Callable[[], Iterable[Entries]], keys: int = 0
    ) -> None:
        super().__init__(on, uncounted, keys=keys)
        self.is_served: Callable[[str, int], bool] = lambda name, version: True
        self._collect = collect  # the states of all workers
        self._ended: dict[Key, RowCounts] = {}
        # Of a watch its counts when it was written last, and what was written.
        self._written: WeakKeyDictionary[Watch, tuple[Any, dict[str, Any]]] = WeakKeyDictionary()
        self._failed: WeakSet[Watch] = WeakSet()  # whose counts have failed, which is logged once

    def figures(self, model: Model) -> Figures | None:
        """What all workers have counted of a model."""
        return self.now().figures(model)

    def now(self) -> Moment:
        """The same watches, with figures of this moment."""
        return self.at(self._collect())

    def at(self, states: Iterable[Entries]) -> Moment:
        """The same watches, whose figures are of one moment: of these states of all workers."""
        return Moment(self, [entry for entries in states for entry in entries])

    def state(self) -> list[dict[str, Any]]:
        """What this worker has counted, and what it has absorbed, for JSON."""
        from onnxlet.edge.aggregation import row_counts

        found = []
        for model, watch in self.begun():
            try:
                found.append(self._entry(model, watch))
            except Exception as error:  # of whatever class: the other models' counts go on
                if watch not in self._failed:
                    request_log.fail(error, event="drift", model=model.name)
                self._failed.add(watch)
        for key in list(self._ended):
            if self.is_served(*key[:2]):
                found.append(_keyed(key) | row_counts.state(self._ended[key]))
            else:  # it has gone with its counts
                del self._ended[key]
        return found

    def add(self, state: Entries) -> None:
        """Go on with what a worker that has ended had counted."""
        from onnxlet.edge.aggregation import row_counts

        for entry in state:
            key, read = _key(entry), row_counts.read(entry)
            known = [self._ended[key]] if key in self._ended else []
            self._ended[key] = row_counts.absorbed([*known, read], self.keys)

    def _entry(self, model: Model, watch: Watch) -> dict[str, Any]:
        from onnxlet.edge.aggregation import row_counts
        from onnxlet.function.monitoring.deltas import hash_of

        counts = watch.figures()
        now = counts.total.rows, watch.waiting, sum(counts.refused.values())
        before, written = self._written.get(watch, (None, {}))
        if now != before:
            key = model.name, model.version, hash_of(model)
            written = _keyed(key) | row_counts.state(row_counts.read_watch(watch))
            self._written[watch] = now, written
        return written


class Moment(Watches):
    """A worker's watches, whose figures are of one moment: of what all workers had counted."""

    def __init__(self, watches: SharedWatches, entries: Entries) -> None:
        super().__init__(watches.on, keys=watches.keys)
        self.of = watches.of  # type: ignore[method-assign] # the very watches
        self._entries: dict[Key, list[Mapping[str, Any]]] = defaultdict(list)
        for entry in entries:
            self._entries[_key(entry)].append(entry)

    def figures(self, model: Model) -> Figures | None:
        """What all workers had counted of a model."""
        from onnxlet.edge.aggregation import row_counts
        from onnxlet.function.monitoring.deltas import hash_of

        watch = self.of(model)
        if watch is None:
            return None
        key = model.name, model.version, hash_of(model)
        parts = [row_counts.read(entry) for entry in self._entries[key]]
        return row_counts.add_up(parts).figures if parts else watch.figures()


def _key(entry: Mapping[str, Any]) -> Key:
    return entry["model"], entry["version"], entry["layout"]


def _keyed(key: Key) -> dict[str, Any]:
    return dict(zip(("model", "version", "layout"), key, strict=True))
