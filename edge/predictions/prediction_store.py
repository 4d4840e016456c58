"""Keeps answers until their truth comes, and counts what came of them."""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from onnxlet.edge.predictions import ownership
from onnxlet.edge.predictions.answers import TruthFault, answers_of, no_disk
from onnxlet.edge.predictions.database import (
    NEWEST,
    SCHEMA,
    AnswerStore,
    Joined,
    Look,
    TruthResult,
    Truths,
)
from onnxlet.edge.predictions.performance import Performance
from onnxlet.edge.store.database import Identity, drop_privileges_to_owner, is_broken
from onnxlet.edge.store.writer import MEMORY_BYTES, Writer
from onnxlet.function import request_log
from onnxlet.function.errors import InvalidRows, RequestTooLarge, SettingsError
from onnxlet.function.messages import Prediction
from onnxlet.function.models.model import Model
from onnxlet.function.models.repository import Repository
from onnxlet.function.monitoring.estimate import kind_of

MEGABYTE = 1_000_000
DAY_SECONDS = 86_400
GATHER_SECONDS = 1.0  # between commits, unless a truth comes: no answer waits for them


class Known(NamedTuple):
    """What came of a version's answers, as far as it was read."""

    model: Model  # that was served then
    realised: Performance | None  # its figures; None where they can't be counted
    last: int | None  # the number of the last row that is in them; None before any was looked for


class Others(Protocol):
    """Other workers that keep answers in the same database."""

    def tell(self) -> None:
        """Have them count what was joined here."""

    def have_written(self) -> None:
        """Have them write the answers that they have in memory; waits for it."""

    def read(self, model: Model, realised: Performance) -> int | None:
        """Go on with their figures of a version; the number of the last row, None without any."""


class PredictionStore:
    """Keeps answers in SQLite for so many days and megabytes, and joins truths to them.

    No answer waits for the disk: one that was given within a second of a crash may be lost, and its
    truth is then unknown.
    """

    def __init__(
        self,
        path: Path,
        max_mb: int,
        max_days: int,
        log: request_log.Log = request_log.write,
        *,
        named: bool = True,
    ) -> None:
        self._path = path  # of the database
        self._named = named  # somebody has named this path, so that what is there may be theirs
        self._own: Identity | None = None  # the file, once it was opened as ours
        self._open = partial(
            AnswerStore, path, max_mb * MEGABYTE, max_days * DAY_SECONDS, joined=self._count
        )
        self._realised: dict[tuple[str, int], Known] = {}
        self._looks = False  # soon, for what was joined
        self._joined_to: set[tuple[str, int]] = set()  # here, since it last did
        # Held while figures change: what is known of a version is whole without it.
        self.reading = threading.Lock()
        self._models: Repository | None = None
        # What other workers know of the same database; None where one process serves.
        self.shared: Others | None = None
        self._writer = Writer(
            path,
            self._opened,
            largest=MEMORY_BYTES,
            gather_seconds=GATHER_SECONDS,
            log=log,
            event="keep",
            broken=self._is_broken,
        )

    def start(self, models: Repository) -> None:
        """Start the thread that writes; it reads what came of the served models first."""
        self._models = models
        self._writer.start()
        # Has it open the database. Workers begin with the same rows: before any of them serves.
        self._writer.keep(Look(lambda store: None), wait=self.shared is not None)

    def stop(self) -> None:
        """Write what is in memory, and end; nothing where it never started, as without a model."""
        if self._models is not None:
            self._writer.stop()

    def observe(self, prediction: Prediction) -> None:
        """Keep an answer. Never raises: a failure here must not fail the answer."""
        try:
            for each in answers_of(prediction, int(time.time())):
                self._writer.keep(each, wait=False)
        except Exception as error:
            self._writer.lost["failed"] += 1
            request_log.fail(error, request_id=prediction.request_id)

    def join(self, entries: Sequence[dict[str, Any]], body: bytes, key: str = "") -> TruthResult:
        """Join truths, each with its `id`, `row` and `value`, to the answers to this API key.

        Raises InvalidRows where some are of another type than what was predicted, and none was
        joined, RequestTooLarge where their request's body is more than is held in memory,
        Overloaded where the disk takes nothing.
        """
        if len(body) > MEMORY_BYTES:
            raise RequestTooLarge(
                f"expected at most {MEMORY_BYTES} bytes, got {len(body)}", "Send fewer at once."
            )
        outcome = self._joined(Truths(entries, body, key, all_known=self.shared is not None))
        if self.shared and outcome.unknown and not outcome.joined:
            self.shared.have_written()
            outcome = self._joined(Truths(entries, body, key))
        if faults := outcome.faults:
            raise InvalidRows(
                [TruthFault.of(number, entries[number], why) for number, why in faults]
            )
        return outcome

    def _joined(self, truths: Truths) -> TruthResult:
        if not self._writer.keep(truths, wait=True, strict=True) or truths.outcome is None:
            raise no_disk()
        return truths.outcome

    def write(self) -> None:
        """Write what is in memory; returns once it is on the disk, or the disk is too slow."""
        self._writer.keep(Look(lambda store: None, proves=False), wait=True, strict=True)

    def look(self) -> None:
        """Count soon what has come of answers, whichever process has joined it."""
        if not self._looks:
            self._looks = True
            self._writer.keep(Look(self._look_at_all, proves=False), wait=False)

    def _look_at_all(self, store: AnswerStore) -> None:
        self._looks = False
        loaded = self._models.catalogue.loaded if self._models else {}
        for gone in self._realised.keys() - loaded.keys():
            del self._realised[gone]
        for key in self._realised.keys() | self._joined_to:
            if key in loaded and kind_of(loaded[key].manifest):
                self._look(store, loaded[key])
        self._joined_to.clear()

    def known(self) -> dict[tuple[str, int], Known]:
        """What came of each version's answers, as far as it was read."""
        return dict(self._realised)

    def report(self, model: Model) -> dict[str, Any] | None:
        """What came of a version's answers; None where no truth has come, or the disk is away.

        This reads what the disk has of it that is new: other processes may join truths, too.
        """
        if self._models is not None and kind_of(model.manifest):
            look = Look(partial(self._look, model=model), proves=False)
            self._writer.keep(look, wait=True, strict=True)
        known = self._realised.get((model.name, model.version))
        return known.realised.report() if known and known.realised else None

    def wider(self, model: Model, coverage: float) -> float:
        """How many times as wide as at build intervals and sets are, by the truths counted here."""
        known = self._realised.get((model.name, model.version))
        return known.realised.wider(coverage) if known and known.realised else 1.0

    def _look(self, store: AnswerStore, model: Model) -> None:
        """Count what the disk has of a version. Never raises, since that would repeat a commit."""
        try:
            self._read(store, model)
        except Exception as error:
            request_log.fail(error)

    def _opened(self) -> AnswerStore:
        """The database; the figures of what is served are counted from what it holds."""
        store = self._open()
        self._own = store.file
        for model in self._models.models if self._models else ():
            if (model.name, model.version) not in self._realised and kind_of(model.manifest):
                self._read(store, model)
        return store

    def _is_broken(self, error: Exception, file: Identity | None) -> bool:
        """Whether the file is broken, and ours: nobody else's is moved away."""
        if not (is_broken(error) or isinstance(error, ownership.NotOurs)):
            return False
        found = ownership.look(self._path)
        if found is ownership.PathContent.FILE:
            return not self._named or (file is not None and file == self._own)
        return found is ownership.PathContent.OURS and is_broken(error)

    def _count(self, store: AnswerStore, joined: Sequence[Joined]) -> None:
        """Count rows that are on the disk; who sent the truth of many does not wait for that."""
        self._joined_to |= {(each.model, each.version) for each in joined}
        if self.shared:
            self.shared.tell()
        if len(joined) < NEWEST:
            self._look_at_all(store)
        else:
            self.look()

    def _read(self, store: AnswerStore, model: Model) -> None:
        """Count what the disk has of a version that was not counted before.

        Raises sqlite3.Error or OSError where it can't be read. No fault of a model's is one of the
        disk.
        """
        key = model.name, model.version
        known = self._realised.get(key)
        if known is None or known.model is not model:
            known = self._begun(model)
        while True:
            rows = store.rows(*key, known.last)
            with self.reading:
                try:
                    if rows.truths and known.realised:
                        known.realised.add(rows.answers, rows.truths)
                except Exception as error:  # they are of another model of this name
                    request_log.fail(error, event="keep", model=model.name)
                    known = known._replace(realised=Performance(model.manifest))
                known = self._realised[key] = known._replace(last=rows.last)
            if len(rows.truths) < NEWEST:
                return

    def _begun(self, model: Model) -> Known:
        """Figures without a row; or those of another worker, so that all have the same."""
        try:
            realised = Performance(model.manifest)
            last = self.shared.read(model, realised) if self.shared else None
            return Known(model, realised, last)
        except Exception as error:  # the manifest is odd
            request_log.fail(error, event="keep", model=model.name)
            return Known(model, None, None)


def start(path: Path, max_mb: int, max_days: int, *, named: bool) -> PredictionStore:
    """A store that ends with the process; root becomes the folder's owner first.

    A path that is `named`, by ONNXLET_KEEP, has to be writable now: SettingsError is raised where
    it can't be there. Elsewhere no disk stops a start.
    """
    if named and str(path).startswith("~"):  # only a shell expands it, else it is a folder's name
        raise SettingsError(
            f"ONNXLET_KEEP: '~' is not expanded, got {path}",
            "Write the path in full; in a shell $HOME stands for the home folder.",
        )
    path = path.absolute()
    if path.is_dir():
        raise SettingsError(
            f"ONNXLET_KEEP: expected a file, got the folder {path}", f"Name {path / 'kept.db'}."
        )
    drop_privileges_to_owner(path)
    if named:
        ownership.check(path, SCHEMA)
    keep = PredictionStore(path, max_mb, max_days, named=named)
    atexit.register(keep.stop)
    return keep
