"""The models that are served, and which of them a request means."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from onnxlet.folders import typed
from onnxlet.function import request_log
from onnxlet.function.errors import ModelError, UnknownModel
from onnxlet.function.models.aliases import (
    NONE,
    PIN_HINT,
    Aliases,
    file_of,
    listed,
    of_model,
    serves,
)
from onnxlet.function.models.catalogue import Catalogue
from onnxlet.function.models.model import Model, load_model
from onnxlet.function.settings import MAX_PIXELS

STILL_SECONDS = 30.0


class Progress:
    """The step that a thread is at, for others to look at: it may never come back to say more.

    After so many seconds of one step it stands still.
    """

    def __init__(self, still: float = STILL_SECONDS) -> None:
        self._still = still
        self._step: tuple[float, str] | None = None  # since when, and what

    def at(self, step: str | None) -> None:
        """Begin a step; None where there is nothing to do."""
        self._step = None if step is None else (time.monotonic(), step)

    def seconds_still(self) -> float:
        """How long the step has taken, once it stands still; else 0."""
        step = self._step
        seconds = time.monotonic() - step[0] if step else 0.0
        return seconds if seconds >= self._still else 0.0

    def watch(self, stopped: threading.Event) -> None:
        """Write a line for each step that stands still, until this is stopped."""
        said = None
        while not stopped.wait(self._still / 3):
            step = self._step
            if step is not None and step is not said and self.seconds_still():
                said = step
                why = (
                    f"{step[1]}: not done after {self._still:g} s; what is loaded answers as before"
                )
                request_log.write({"event": "reload", "error": why})


NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
VERSION = re.compile(r"[1-9][0-9]{0,17}")
NAMING = (
    "Name one: in the path /models/NAME/predict, or at /invocations by the header "
    "X-Amzn-SageMaker-Target-Model; or have the server set ONNXLET_DEFAULT_MODEL."
)


def versions_in(directory: Path) -> list[int]:
    """The versions in a model's directory, lowest first."""
    if not directory.is_dir():
        return []
    found = (entry.name for entry in directory.iterdir() if entry.is_dir())
    return sorted(int(name) for name in found if VERSION.fullmatch(name))


class Repository:
    """Model directories below one folder, or two.

    One version of each is served where a request names none: the one that the model is pinned to,
    else the one whose alias is `stable`, else the highest. It is loaded at once, so that a broken
    one stops the process; other versions are loaded when a request first names them. With `lazy`, a
    graph is read and checked when the first request needs it, and a broken one fails only that
    request.

    The folder of `updates` may be absent. A broken version or file of aliases in there is skipped
    when the process starts, unless it is pinned: the slot's own go on. Graphs that are not in their
    directories are at `models_url`. What is `described`, as `onnxlet.function.models.catalogue` has
    it, others serve from these folders, and then it is served here.

    Raises ModelError where there is no model, or one can't be loaded; or what is pinned is not
    there.
    """

    def __init__(
        self,
        folder: Path,
        threads: int = 1,
        default: str | None = None,
        models_url: str | None = None,
        lazy: bool = False,
        updates: Path | None = None,
        pins: Mapping[str, str] | None = None,
        max_pixels: int = MAX_PIXELS,
        described: bytes | None = None,
    ) -> None:
        # Where both have a version, the first one's counts.
        self.folders = (folder,) if updates is None else (folder, updates)
        self.threads = threads  # inside each session
        self.pins = pins or {}  # by name, a version or an alias
        self._default = default
        self._models_url = models_url
        self._lazy = lazy
        self._max_pixels = max_pixels
        self._lock = threading.Lock()
        self.progress = Progress()  # of whoever keeps it in step with its folders, if anybody does
        if described is not None:
            self.begin(described)
            return
        versions = self._versions()
        if not versions:
            raise _no_models(folder)
        if default is not None and default not in versions:
            raise ModelError(
                f"ONNXLET_DEFAULT_MODEL: no model '{default}' in {folder}",
                f"There are {', '.join(versions)}.",
            )
        aliases = {name: self._aliases(name, numbers) for name, numbers in versions.items()}
        self._check_pins(versions, aliases)
        loaded: dict[tuple[str, int], Model] = {}
        served: dict[str, int] = {}
        for name, numbers in versions.items():
            model, aliases[name] = self._first(name, numbers, aliases[name])
            loaded[name, model.version], served[name] = model, model.version
        # What is served now. It is replaced as a whole, so that a request sees one moment of it.
        self.catalogue = Catalogue(versions, loaded, served, aliases)

    def begin(self, described: bytes) -> None:
        """Serve what other processes serve; raises ModelError where it can't be loaded any more."""
        from onnxlet.function.models.catalogue import as_described  # of several processes only

        self.catalogue = as_described(described, self._versions(), self._load)

    def _versions(self) -> dict[str, list[int]]:
        there: dict[str, set[int]] = {}
        for entry in (e for folder in self.folders if folder.is_dir() for e in folder.iterdir()):
            if NAME.fullmatch(entry.name) and (versions := versions_in(entry)):
                there.setdefault(entry.name, set()).update(versions)
        return {name: sorted(there[name]) for name in sorted(there)}

    def _aliases(self, name: str, versions: Sequence[int]) -> Aliases:
        """A model's aliases; a broken file among the updates is skipped."""
        try:
            return of_model(self.folders, name, versions)
        except ModelError as error:
            file = file_of(self.folders, name)
            if file is None or file.parents[1] not in self.folders[1:]:
                raise
            _log_refused(name, error)
            return of_model(self.folders[:1], name, versions)

    def _check_pins(
        self, versions: Mapping[str, Sequence[int]], aliases: Mapping[str, Aliases]
    ) -> None:
        faults = []
        for name, pin in self.pins.items():
            try:
                if name in versions:
                    serves(name, versions[name], aliases[name], pin)
                else:
                    there = _listed(versions)[1:-1]
                    faults.append(f"ONNXLET_SERVE={name}={pin}: no such model; t{there}")
            except ModelError as error:
                faults.append(error.message)
        if faults:
            raise ModelError("; ".join(faults), PIN_HINT)

    def _first(self, name: str, numbers: list[int], aliases: Aliases) -> tuple[Model, Aliases]:
        """Load the version that is served, after taking broken updates off the numbers."""
        while True:
            number = serves(name, numbers, aliases, self.pins.get(name))
            try:
                return self._load(name, number), aliases
            except ModelError as error:
                is_update = self.directory(name, number).parents[1] in self.folders[1:]
                if len(numbers) < 2 or not is_update or name in self.pins:
                    raise
                numbers.remove(number)
                _log_refused(name, error, version=number)
                aliases = self._aliases(name, numbers)

    def directory(self, name: str, version: int) -> Path:
        """Where a version is, or would be."""
        directories = [folder / name / str(version) for folder in self.folders]
        return next((each for each in directories if each.is_dir()), directories[0])

    @property
    def names(self) -> list[str]:
        """The names of all models, sorted."""
        return list(self.catalogue.versions)

    @property
    def models(self) -> list[Model]:
        """The version of each model that is served where none is named, by name."""
        catalogue = self.catalogue
        return [catalogue.loaded[each] for each in catalogue.served.items()]

    def versions(self, name: str) -> list[int]:
        """All versions of a model, lowest first; empty where it is not there any more."""
        return list(self.catalogue.versions.get(name, ()))

    def aliases(self, name: str) -> Aliases:
        """The versions of a model that have names."""
        return self.catalogue.aliases.get(name, NONE)

    def choose(self, name: str | None = None, version: str | int | None = None) -> Model:
        """The model that a request means; without a name the default, or the only one.

        The version is a whole number, or its digits; or an alias; None is the one that is served.
        Raises UnknownModel where there is none of that name or version, or several to choose from;
        ModelError where another version is there and can't be loaded.
        """
        catalogue = self.catalogue
        name = name or self._default or _only(catalogue.versions)
        versions = catalogue.versions.get(name)
        if versions is None:
            raise UnknownModel(f"no model '{name[:100]}'", _listed(catalogue.versions))
        chosen = catalogue.served[name] if version is None else _number(catalogue, name, version)
        if (model := catalogue.loaded.get((name, chosen))) is not None:
            return model
        with self._lock:  # of two first requests one loads, and the other waits
            if (name, chosen) not in catalogue.loaded:
                catalogue.loaded[name, chosen] = self._load(name, chosen)
            return catalogue.loaded[name, chosen]

    def _load(self, name: str, version: int) -> Model:
        directory = self.directory(name, version)
        try:
            model = load_model(directory, self.threads, self._models_url, self._lazy)
        except ModelError:
            if directory.is_dir():  # broken: that is for the log and its operator
                raise
            raise UnknownModel(f"no version {version} of model '{name}' any more") from None
        self.limit(model)
        return model

    def limit(self, model: Model) -> None:
        """Have a model refuse images of more pixels than are allowed here."""
        for images in model.signature.image_feeds:
            images.most = self._max_pixels


def _number(catalogue: Catalogue, name: str, version: str | int) -> int:
    """The number of a version that is there, by it or by an alias."""
    versions, aliases = catalogue.versions[name], catalogue.aliases.get(name, NONE)
    if version in aliases:
        return aliases[str(version)]
    known = VERSION.fullmatch(str(version)) is not None
    if known and int(version) in versions:
        return int(version)
    shown = str(version) if known else f"'{version!s:.40}'"
    hint = f"T{listed(versions, aliases)[1:]}."
    raise UnknownModel(f"no version {shown} of model '{name}'", hint)


def _log_refused(name: str, error: ModelError, **what: object) -> None:
    entry = {"event": "start", "model": name, **what, "state": "refused", "error": error.message}
    request_log.write(entry)


def _only(versions: Mapping[str, Sequence[int]]) -> str:
    if len(versions) != 1:
        raise UnknownModel(
            "the request names no model, and there are several", f"{_listed(versions)} {NAMING}"
        )
    return next(iter(versions))


def _listed(versions: Mapping[str, Sequence[int]]) -> str:
    verb = "are" if len(versions) > 1 else "is"
    return f"There {verb} {', '.join(versions) or 'none'}."


def _no_models(folder: Path) -> ModelError:
    """Why nothing is served: the folder is missing, is a model itself, or has none."""
    build = f"Build one: {typed('convert', 'build SOURCE --name N')}; or set ONNXLET_MODELS."
    if not folder.is_dir():
        return ModelError(f"no models in {folder}: there is no such folder", build)
    is_version = (folder / "manifest.json").exists()
    if is_version or versions_in(folder):
        up = folder.resolve().parents[1 if is_version else 0]  # of "." too
        return ModelError(f"no models in {folder}: it is a model itself", f"Serve {up}.")
    return ModelError(f"no models in {folder}: expected NAME/VERSION/manifest.json below it", build)
