"""New versions, taken from the models' folder while it is served.

A version counts once its manifest is there and none of its files has changed between two scans,
so that a copy in progress is not read. It is loaded, its hashes are checked and its golden rows
replayed while the version before goes on answering; then it replaces that one at once. A broken one
is logged once, and tried again when its files change. Removed versions are forgotten when two scans
have missed them; but one that is pinned or `stable` goes on answering from memory, since nobody
asked for another one instead. Aliases are switched in the same way: the old ones stay where their
file is broken, or where `stable` does not answer as it should.

Several processes that serve the same folders switch all or none: each loads and proves what is new,
proposes it, and serves it once all have proposed the same. What one of them refuses none serves.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from onnxlet.edge.reload.descriptions import describe, fits, hash_in
from onnxlet.edge.reload.folder_scan import FolderScan, Key, Stamp
from onnxlet.edge.reload.progress import STILL_SECONDS, Progress
from onnxlet.function import json_text, request_log
from onnxlet.function.errors import ModelError
from onnxlet.function.models.aliases import NONE, STABLE, Aliases, of_model, serves
from onnxlet.function.models.compatible import differences
from onnxlet.function.models.model import Model
from onnxlet.function.models.repository import Catalogue, Repository
from onnxlet.function.serving.golden import load_proven


class RefusedVersion(NamedTuple):
    """A version that is not served."""

    key: Key  # its model and number
    stamp: Stamp  # of its files
    why: str  # as the log has it


class Peers(Protocol):
    """The other processes that serve the same folders."""

    described: bytes | None  # what all have agreed on last; None before that

    def propose(self, described: bytes) -> None:
        """Say what this process would serve; once all say the same, it calls `agree` of each."""

    def refused(self) -> Iterable[RefusedVersion]:
        """What the others have refused."""

    def leads(self) -> bool:
        """Whether this is the one of them that logs what all of them do."""


REMEMBERED = 3  # scans whose proposals are
SHOWN_DIFFERENCES = 20  # differences between two signatures, in a line of the log


class Reloader:
    """Keeps what a repository serves in step with its folders, and with other processes that do."""

    def __init__(
        self, repository: Repository, peers: Peers | None = None, still: float = STILL_SECONDS
    ) -> None:
        """Keep it so from `start` on; a step that takes more seconds than `still` is reported."""
        self.refused: dict[Key, str] = {}  # why a version is not served
        self._repository = repository
        self._peers = peers
        self._switching = threading.Lock()
        self._proven_models: dict[Key, Model] = {}  # which are not served yet
        # Of the last scans: what was proposed may be agreed on while the next one is made.
        self._proposed: deque[tuple[bytes, Catalogue]] = deque(maxlen=REMEMBERED)
        self._hashes: dict[Key, tuple[Stamp | None, str]] = {}  # of manifests
        self._scan = FolderScan(repository.folders)
        listed = repository.catalogue.versions
        # What the files of a version were when it was taken, and when it was refused.
        self._good = {k: s for k, s in self._scan.now.items() if k[1] in listed.get(k[0], ())}
        # ... and when its golden rows were answered, or the process started with that version.
        served = repository.catalogue.served
        self._proven = {k: s for k, s in self._good.items() if k[1] == served.get(k[0])}
        self._bad: dict[Key, Stamp] = {}
        self._alias_faults: dict[str, str] = {}  # by model, as logged
        # What this process serves, in words; None where it has no peers.
        self._described = peers and describe(repository.catalogue, self._hash)
        self._away = False
        self._stop = threading.Event()
        self.progress = Progress(still)  # of the scan that runs
        repository.seconds_still = self.progress.seconds_still

    def start(self, seconds: float) -> None:
        """Scan every so many seconds from now on, in a thread that another one watches."""
        for name, target, argument in (
            ("reload", self._scan_on, seconds),
            ("reload-watch", self.progress.watch, self._stop),
        ):
            threading.Thread(target=target, args=(argument,), name=name, daemon=True).start()

    def stop(self) -> None:
        """End the scans, once the one that runs is done."""
        self._stop.set()

    def _scan_on(self, seconds: float) -> None:
        while not self._stop.wait(seconds):
            try:
                self.refresh()
            except Exception as error:  # nothing that is in a folder may end the scans
                request_log.fail(error)
            finally:
                self.progress.at(None)

    def refresh(self) -> None:
        """Scan once, and serve what there is to serve."""
        self.progress.at("the models' folder")
        try:
            self._scan.again()
        except OSError as error:  # an unplugged disk: what is loaded goes on
            if not self._away:
                self._log({"event": "reload", "error": f"the folder: {error.strerror}"})
            self._away = True
            return
        self._away = False
        there = self._scan.there()
        self._forget(there)
        old = self._repository.catalogue
        new = self._catalogue(there, old)
        if self._peers is not None:
            self._propose(self._peers, there, old, new)
        elif new != old:
            self._switch(new)

    def _switch(self, new: Catalogue) -> None:
        old, self._repository.catalogue = self._repository.catalogue, new
        self._proven_models.clear()
        if self._peers is None or self._peers.leads():
            _log_changes(old, new)

    def _propose(
        self, peers: Peers, there: dict[str, list[int]], old: Catalogue, new: Catalogue
    ) -> None:
        described = describe(new, self._hash)
        if described != self._described and self._adopt(peers.refused()):
            new = self._catalogue(there, old)
            described = describe(new, self._hash)
        with self._switching:
            if self._repository.catalogue is not old:  # all have switched meanwhile
                return
            self._proposed.append((described, old if described == self._described else new))
        if described == peers.described:  # agreed on before this process could serve it
            self.agree(described)
        peers.propose(described)

    def agree(self, described: bytes) -> None:
        """Serve what all processes have proposed; nothing where it is what they serve already."""
        with self._switching:
            new, old = dict(self._proposed).get(described), self._repository.catalogue
            if new is None or new is old:
                return
            models = json_text.loads(described)
            held = {**old.loaded, **new.loaded}
            kept = {
                key: model
                for key, model in held.items()
                if fits(models, model) and (key in new.loaded or key[1] != old.served.get(key[0]))
            }
            self._proposed.clear()
            self._described = described
            self._switch(new._replace(loaded=kept))

    def refusals(self) -> list[RefusedVersion]:
        """What this process refuses at present."""
        return [
            RefusedVersion(key, self._bad[key], self.refused[key]) for key in list(self.refused)
        ]

    def _adopt(self, refusals: Iterable[RefusedVersion]) -> bool:
        """Refuse what another process has; whether that was new here."""
        adopted = False
        for each in refusals:
            is_here = self._scan.now.get(each.key) == each.stamp
            if is_here and self._bad.get(each.key) != each.stamp:
                self._refuse(each)
                adopted = True
        return adopted

    def _hash(self, name: str, number: int) -> str:
        """Of the manifest of a version, read again when its files have changed."""
        key = name, number
        stamp, (known, _) = self._scan.now.get(key, ()), self._hashes.get(key, (None, ""))
        if known is None or (known != stamp and self._scan.is_steady(key)):
            self._hashes[key] = stamp, hash_in(self._repository.directory(name, number))
        return self._hashes[key][1]

    def _log(self, entry: dict[str, Any]) -> None:
        if self._peers is None or self._peers.leads():
            request_log.write(entry)

    def _forget(self, there: dict[str, list[int]]) -> None:
        for key in [k for k in (*self._good, *self._bad) if k[1] not in there.get(k[0], ())]:
            for known in (self._good, self._proven, self._bad, self.refused, self._proven_models):
                known.pop(key, None)

    def _catalogue(self, there: dict[str, list[int]], old: Catalogue) -> Catalogue:
        versions: dict[str, Sequence[int]] = {}
        loaded: dict[Key, Model] = {}
        served: dict[str, int] = {}
        named: dict[str, Aliases] = {}
        for name, numbers in there.items():
            aliases, chosen = self._chosen(name, numbers, old)
            model = self._first(name, numbers[::-1] if chosen is None else [chosen], old)
            if model is None and chosen is not None and name in old.served:
                model, aliases = old.loaded[name, old.served[name]], old.aliases[name]
            if model is None:
                continue
            others = [
                number
                for number in numbers
                if (number < model.version or (chosen is not None and number != model.version))
                and self._is_listed((name, number), old)
            ]
            versions[name] = sorted([*others, model.version])
            named[name] = {alias: to for alias, to in aliases.items() if to in versions[name]}
            loaded |= {(name, model.version): model, **self._asked_for(name, others, old)}
            served[name] = model.version
        return Catalogue(versions, loaded, served, named)

    def _chosen(
        self, name: str, numbers: Sequence[int], old: Catalogue
    ) -> tuple[Aliases, int | None]:
        """A model's aliases, and the version that is pinned or `stable`.

        It is None where it is the highest, 0 where it is not known yet.
        """
        pin, before = self._repository.pins.get(name), old.aliases.get(name, NONE)
        listed = [n for n in numbers if self._is_listed((name, n), old)]
        if listed and self._scan.are_aliases_steady(name):
            try:
                aliases = of_model(self._repository.folders, name, listed)
                number = serves(name, listed, aliases, pin)
            except ModelError as error:
                if self._alias_faults.get(name) != error.message:
                    entry = {"event": "reload", "model": name, "state": "refused"}
                    self._log({**entry, "error": error.message})
                self._alias_faults[name] = error.message
            else:
                self._alias_faults.pop(name, None)
                return aliases, number if pin or STABLE in aliases else None
        goes_on = pin or STABLE in before or name not in old.served
        return before, old.served.get(name, 0) if goes_on else None

    def _first(self, name: str, numbers: Sequence[int], old: Catalogue) -> Model | None:
        """The first of these versions that answers as it should."""
        for number in numbers:
            key = (name, number)
            # One that was loaded because a request named it has not replayed its golden rows.
            serving = old.loaded.get(key) if key in self._proven else None
            stamp = self._scan.now.get(key)
            proven = self._proven_models.get(key, serving)
            if proven is not None and stamp == self._proven.get(key):
                return proven
            untried = self._scan.is_steady(key) and stamp != self._bad.get(key)
            model = self._load(key) if untried else None
            if model or serving:  # a served version whose files were broken goes on as it was
                return model or serving
        return None

    def _load(self, key: Key) -> Model | None:
        name, number = key
        self.progress.at(f"model {name}/{number}")
        directory = self._repository.directory(name, number)
        try:
            model, _, faults = load_proven(directory, self._repository.threads)
            # Golden rows may be somebody's data: the line has how many are off, not which.
            why = f"{len(faults)} golden rows are answered differently than at build" * bool(faults)
        except ModelError as error:
            why = error.message
        except Exception as error:  # whatever a broken model does
            why = f"it does not answer: {type(error).__name__}"
        stamp = self._scan.now[key]
        if why:
            self._refuse(RefusedVersion(key, stamp, why))
            return None
        self._repository.limit(model)
        self._good[key] = self._proven[key] = stamp
        self._bad.pop(key, None)
        self.refused.pop(key, None)
        self._proven_models[key] = model
        return model

    def _refuse(self, refusal: RefusedVersion) -> None:
        key, stamp, why = refusal
        self._bad[key], self.refused[key] = stamp, why
        if self._proven_models.pop(key, None) is not None:  # another process has refused it
            self._proven.pop(key, None)
        entry = {"event": "reload", "model": key[0], "version": key[1], "state": "refused"}
        self._log({**entry, "error": why})

    def _is_listed(self, key: Key, old: Catalogue) -> bool:
        """Another version than the served one: it is there, and loaded when it is asked for."""
        if key in self._bad and self._scan.now.get(key) == self._bad[key]:
            return False
        return self._scan.is_steady(key) or key[1] in old.versions.get(key[0], ())

    def _asked_for(self, name: str, others: list[int], old: Catalogue) -> dict[Key, Model]:
        """Other versions that requests have named; they stay loaded if their files are the same.

        The one that was served until now is not among them, so that its memory is freed.
        """
        kept: dict[Key, Model] = {}
        for key in [(name, number) for number in others]:
            model, stamp = old.loaded.get(key), self._scan.now.get(key)
            steady = self._scan.is_steady(key)
            if steady and stamp != self._good.get(key):
                self._good[key] = self._scan.now[key]
            elif model is not None and key[1] != old.served.get(name):
                kept[key] = model
        return kept


def _log_changes(old: Catalogue, new: Catalogue) -> None:
    """Write a line for each model whose served version or aliases have changed."""
    for name in sorted(old.versions.keys() | new.versions.keys()):
        about = {"event": "reload", "model": name}
        if name not in new.served:
            request_log.write({**about, "state": "removed"})
            continue
        before, now = (c.loaded.get((name, c.served.get(name, 0))) for c in (old, new))
        if now is not None and now is not before:
            entry = {**about, "version": now.version, "state": "served"}
            request_log.write(entry | (_breaking(before, now) if before else {}))
        if old.aliases.get(name, NONE) != new.aliases[name]:
            request_log.write({**about, "aliases": new.aliases[name], "state": "served"})


def _breaking(before: Model, now: Model) -> dict[str, list[str]]:
    """What clients of the version before will notice, as a member of the line."""
    found = differences(before.manifest, now.manifest)
    more = [f"and {len(found) - SHOWN_DIFFERENCES} more"] if len(found) > SHOWN_DIFFERENCES else []
    return {"breaking": [*found[:SHOWN_DIFFERENCES], *more]} if found else {}
