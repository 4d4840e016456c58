"""The models that are served: which there are, and which one a request means."""

from __future__ import annotations

import re
import threading
from pathlib import Path

from function.errors import ModelError, UnknownModel
from function.model import Model, load_model

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
VERSION = re.compile(r"[1-9][0-9]{0,17}")


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


class Repository:
    """Model directories below one folder.

    The highest version of each is loaded at once, so that a broken one stops the process;
    a lower one when it is first asked for.

    Attributes:
        names: of all models, sorted.

    Raises:
        ModelError: there is no model, or one can't be loaded.
    """

    def __init__(self, folder: Path, threads: int = 1, default: str | None = None) -> None:
        self._folder = folder
        self._threads = threads
        self._default = default
        self._lock = threading.Lock()
        self._versions = {
            entry.name: versions
            for entry in sorted(folder.iterdir() if folder.is_dir() else [])
            if NAME.fullmatch(entry.name) and (versions := versions_in(entry))
        }
        self.names = list(self._versions)
        if not self.names:
            raise ModelError(
                f"no models in {folder}",
                "Build one: python -m convert build SOURCE --name N; or set ONNXLET_MODELS.",
            )
        if default is not None and default not in self._versions:
            raise ModelError(
                f"ONNXLET_DEFAULT_MODEL: no model '{default}' in {folder}",
                f"There are {', '.join(self.names)}.",
            )
        self._loaded = {
            (name, versions[-1]): self._load(name, versions[-1])
            for name, versions in self._versions.items()
        }

    def versions(self, name: str) -> list[int]:
        """All versions of a model that is there, lowest first."""
        return list(self._versions[name])

    def choose(self, name: str | None = None, version: str | int | None = None) -> Model:
        """The model that a request means; without a name the default, or the only one.

        Args:
            name: or None.
            version: a whole number, or its digits; None is the highest.

        Raises:
            UnknownModel: none of that name or version, or several to choose from.
            ModelError: an older version is there and can't be loaded.
        """
        name = name or self._default or (self.names[0] if len(self.names) == 1 else None)
        listed = f"There are {', '.join(self.names)}."
        if name is None:
            raise UnknownModel("the request names no model, and there are several", listed)
        versions = self._versions.get(name)
        if versions is None:
            raise UnknownModel(f"no model '{name[:100]}'", listed)
        chosen = versions[-1] if version is None else _number(version)
        model = self._loaded.get((name, chosen))
        return model or self._load_older(name, chosen)

    def _load_older(self, name: str, version: int) -> Model:
        if version not in self._versions[name]:
            there = ", ".join(map(str, self._versions[name]))
            raise UnknownModel(f"no version {version} of model '{name}'", f"There are {there}.")
        with self._lock:
            if (name, version) not in self._loaded:
                self._loaded[name, version] = self._load(name, version)
            return self._loaded[name, version]

    def _load(self, name: str, version: int) -> Model:
        return load_model(self._folder / name / str(version), self._threads)
