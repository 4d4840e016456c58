"""The models that are served, and which of them a request means."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

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
from onnxlet.function.models.model import Model, load_model
from onnxlet.function.settings import MAX_PIXELS

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


class Catalogue(NamedTuple):
    """What is served at one moment."""

    versions: Mapping[str, Sequence[int]]  # of each model, lowest first; names are sorted
    # The served version of each model, and others that were asked for.
    loaded: dict[tuple[str, int], Model]
    # Of each model, the version that answers where a request names none.
    served: Mapping[str, int] = {}
    aliases: Mapping[str, Aliases] = {}  # of each model, the versions that have names


Begin = Callable[["Repository"], Catalogue]


class Repository:
    """Model directories below one folder, or two.

    One version of each is served where a request names none: the one that the model is pinned to,
    else the one whose alias is `stable`, else the highest. It is loaded at once, so that a broken
    one stops the process; other versions are loaded when a request first names them. With `lazy`, a
    graph is read and checked when the first request needs it, and a broken one fails only that
    request.

    The folder of `updates` may be absent. A broken version or file of aliases in there is skipped
    when the process starts, unless it is pinned: the slot's own go on. Graphs that are not in their
    directories are at `models_url`. Where others serve from these folders, too, `begin` says what
    is served first.

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
        begin: Begin | None = None,
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
        # How long a look at the folders has stood still; whoever keeps in step with them sets it.
        self.seconds_still: Callable[[], float] = lambda: 0.0
        # What is served now. It is replaced as a whole, so that a request sees one moment of it.
        self.catalogue = begin(self) if begin else self._begun()

    def _begun(self) -> Catalogue:
        """What is served first."""
        folder, default = self.folders[0], self._default
        versions = self.there()
        if not versions:
            raise _no_models(folder)
        if default is not None and default not in versions:
            raise ModelError(
                f"no model '{default}' in {folder}, which is to answer where none is named",
                f"There are {', '.join(versions)}. ONNXLET_DEFAULT_MODEL names one; for readings "
                "by MQTT, ONNXLET_DEVICE_MQTT_MODEL.",
            )
        aliases = {name: self._aliases(name, numbers) for name, numbers in versions.items()}
        self._check_pins(versions, aliases)
        loaded: dict[tuple[str, int], Model] = {}
        served: dict[str, int] = {}
        for name, numbers in versions.items():
            model, aliases[name] = self._first(name, numbers, aliases[name])
            loaded[name, model.version], served[name] = model, model.version
        return Catalogue(versions, loaded, served, aliases)

    def there(self) -> dict[str, list[int]]:
        """The versions that are in the folders, lowest first, by name."""
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
                return self.load(name, number), aliases
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
                catalogue.loaded[name, chosen] = self.load(name, chosen)
            return catalogue.loaded[name, chosen]

    def load(self, name: str, version: int) -> Model:
        """Load a version; raises ModelError where it is broken, UnknownModel where it is gone."""
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
    build = f"Put one there ({typed('convert', 'build SOURCE --name N')}), or set ONNXLET_MODELS."
    if not folder.is_dir():
        return ModelError(f"no models in {folder}: there is no such folder", build)
    is_version = (folder / "manifest.json").exists()
    if is_version or versions_in(folder):
        up = folder.resolve().parents[1 if is_version else 0]  # of "." too
        return ModelError(f"no models in {folder}: it is a model itself", f"Serve {up}.")
    return ModelError(f"no models in {folder}: expected NAME/VERSION/manifest.json below it", build)
