"""The models that are served: which there are, and which one a request means."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from function import request_log
from function.errors import ModelError, UnknownModel
from function.model import Model, load_model

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


def _number(version: str | int) -> int:
    if not VERSION.fullmatch(str(version)):
        raise UnknownModel(f"no version '{version!s:.40}'", "Versions are whole numbers from 1.")
    return int(version)


class Catalogue(NamedTuple):
    """What is served at one moment.

    Attributes:
        versions: of each model, lowest first; names are sorted.
        loaded: the highest version of each model, and lower ones that were asked for.
    """

    versions: Mapping[str, Sequence[int]]
    loaded: dict[tuple[str, int], Model]


class Repository:
    """Model directories below one folder, or two.

    The highest version of each is loaded at once, so that a broken one stops the process;
    a lower one when it is first asked for. Where they are lazy, a graph is read and checked when
    the first request needs it, and what is broken in it stops that request.

    Args:
        default: served where a request names none.
        models_url: where graphs are that are not in their directories.
        lazy: leave graphs to the first requests.
        updates: another folder of them, which may be absent. The higher version of each model is
            served; one from here that is broken is passed over when the process starts.

    Attributes:
        folders: theirs; where both have a version, the first one's counts.
        threads: inside each session.
        catalogue: what is served now. Whoever changes what is served puts another in its place.

    Raises:
        ModelError: there is no model, or one can't be loaded.
    """

    def __init__(
        self,
        folder: Path,
        threads: int = 1,
        default: str | None = None,
        models_url: str | None = None,
        lazy: bool = False,
        updates: Path | None = None,
    ) -> None:
        self.folders = (folder,) if updates is None else (folder, updates)
        self.threads = threads
        self._default = default
        self._models_url = models_url
        self._lazy = lazy
        self._lock = threading.Lock()
        versions = self._versions()
        if not versions:
            raise _no_models(folder)
        if default is not None and default not in versions:
            raise ModelError(
                f"ONNXLET_DEFAULT_MODEL: no model '{default}' in {folder}",
                f"There are {', '.join(versions)}.",
            )
        loaded = {
            (name, model.version): model
            for name, numbers in versions.items()
            for model in [self._highest(name, numbers)]
        }
        self.catalogue = Catalogue(versions, loaded)

    def _versions(self) -> dict[str, list[int]]:
        there: dict[str, set[int]] = {}
        for entry in (e for folder in self.folders if folder.is_dir() for e in folder.iterdir()):
            if NAME.fullmatch(entry.name) and (versions := versions_in(entry)):
                there.setdefault(entry.name, set()).update(versions)
        return {name: sorted(there[name]) for name in sorted(there)}

    def _highest(self, name: str, numbers: list[int]) -> Model:
        """Load the highest version; where that is a broken update, it is taken off the list."""
        while True:
            try:
                return self._load(name, numbers[-1])
            except ModelError as error:
                if (
                    len(numbers) < 2
                    or self.directory(name, numbers[-1]).parents[1] not in (self.folders[1:])
                ):
                    raise
                entry = {"event": "start", "model": name, "version": numbers.pop()}
                request_log.write({**entry, "state": "refused", "error": error.message})

    def directory(self, name: str, version: int) -> Path:
        """Where a version is, or would be."""
        places = [folder / name / str(version) for folder in self.folders]
        return next((place for place in places if place.is_dir()), places[0])

    @property
    def names(self) -> list[str]:
        """All models, sorted."""
        return list(self.catalogue.versions)

    @property
    def models(self) -> list[Model]:
        """The highest version of each model, by name."""
        versions, loaded = self.catalogue
        return [loaded[name, numbers[-1]] for name, numbers in versions.items()]

    def versions(self, name: str) -> list[int]:
        """All versions of a model, lowest first; empty where it is not there any more."""
        return list(self.catalogue.versions.get(name, ()))

    def choose(self, name: str | None = None, version: str | int | None = None) -> Model:
        """The model that a request means; without a name the default, or the only one.

        Args:
            name: or None.
            version: a whole number, or its digits; None is the highest.

        Raises:
            UnknownModel: none of that name or version, or several to choose from.
            ModelError: an older version is there and can't be loaded.
        """
        catalogue = self.catalogue
        name = name or self._default or _only(catalogue.versions)
        versions = catalogue.versions.get(name)
        if versions is None:
            raise UnknownModel(f"no model '{name[:100]}'", _listed(catalogue.versions))
        chosen = versions[-1] if version is None else _number(version)
        model = catalogue.loaded.get((name, chosen))
        return model or self._load_older(catalogue, name, chosen)

    def _load_older(self, catalogue: Catalogue, name: str, version: int) -> Model:
        versions, loaded = catalogue
        if version not in versions[name]:
            there = ", ".join(map(str, versions[name]))
            some = "are versions" if len(versions[name]) > 1 else "is version"
            raise UnknownModel(f"no version {version} of model '{name}'", f"There {some} {there}.")
        with self._lock:
            if (name, version) not in loaded:
                loaded[name, version] = self._load(name, version)
            return loaded[name, version]

    def _load(self, name: str, version: int) -> Model:
        directory = self.directory(name, version)
        try:
            return load_model(directory, self.threads, self._models_url, self._lazy)
        except ModelError:
            if directory.is_dir():
                raise
            raise UnknownModel(f"no version {version} of model '{name}' any more") from None


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
    """Why nothing is served: the folder is away, a model itself, or without one."""
    build = "Build one: python -m convert build SOURCE --name N; or set ONNXLET_MODELS."
    if not folder.is_dir():
        return ModelError(f"no models in {folder}: there is no such folder", build)
    if (folder / "manifest.json").exists() or versions_in(folder):
        levels = 1 if (folder / "manifest.json").exists() else 0
        up = folder.resolve().parents[levels]  # of "." too
        return ModelError(f"no models in {folder}: it is a model itself", f"Serve {up}.")
    return ModelError(f"no models in {folder}: expected NAME/VERSION/manifest.json below it", build)
