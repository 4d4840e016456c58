"""The model that is asked, and its golden rows as requests, which never leave this machine."""

from __future__ import annotations

import json
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple

from onnxlet.edge.device.slots import with_updates
from onnxlet.edge.update.errors import WrongUse
from onnxlet.function.models.aliases import of_model, serves
from onnxlet.function.models.model import AGAIN, way_out
from onnxlet.function.models.repository import NAME, versions_in

BATCH = 100  # rows of a large request


class Chosen(NamedTuple):
    """A model that can be asked.

    Attributes:
        models: folder of it and the others that are served beside it.
        name: its name.
        version: that is served where a request names none.
        golden: its golden rows, as `onnxlet.function.serving.golden.compare` takes them.
    """

    models: Path
    name: str
    version: int
    golden: dict[str, Any]

    @property
    def path(self) -> str:
        """That predictions are asked at."""
        return f"/models/{self.name}/versions/{self.version}/predict"

    def body(self, rows: int, first: int = 0) -> bytes:
        """A request of so many golden rows, taken from this one on, again and again."""
        instances = self.golden["instances"]
        chosen = islice(cycle(instances), first, first + rows)
        return json.dumps({"instances": list(chosen)}).encode()

    def bodies(self) -> list[bytes]:
        """A request of one row for each golden row."""
        return [self.body(1, first) for first in range(len(self.golden["instances"]))]


def choose(models: Path, name: str | None) -> Chosen:
    """The model of this name, else the first one, in the version that is served.

    Raises:
        WrongUse: there is none, or it has no golden rows.
        ModelError: a model's aliases can't be used.
    """
    folders = [folder for folder in with_updates(models) if folder is not None]
    there = _served(folders)
    if not there:
        raise WrongUse(
            f"{models}: expected model directories, got none",
            "Build one (.venv/bin/python -m convert build), or say --models DIR.",
        )
    chosen = name or min(there)
    if chosen not in there:
        raise WrongUse(
            f"--model {chosen}: there is no such model", f"There are {', '.join(there)}."
        )
    version, directory = there[chosen]
    try:
        golden = json.loads((directory / "golden.json").read_bytes())
        rows = len(golden["instances"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = getattr(error, "strerror", "") or "it has no golden rows in it"
        hint = way_out(error) if isinstance(error, OSError) else AGAIN
        raise WrongUse(f"{directory / 'golden.json'}: {what}", hint) from error
    if not rows:
        raise WrongUse(
            f"model {chosen}/{version} has no golden rows, and so nothing to be asked",
            "Import it with --sample and --expected, or say --model of another.",
        )
    return Chosen(models, chosen, version, golden)


def _served(folders: list[Path]) -> dict[str, tuple[int, Path]]:
    """Version and directory by name, the names sorted; where both have one, the first counts."""
    entries = [entry for folder in folders if folder.is_dir() for entry in folder.iterdir()]
    found = {}
    for name in sorted({entry.name for entry in entries if NAME.fullmatch(entry.name)}):
        homes = [folder / name for folder in folders]
        versions = sorted({version for home in homes for version in versions_in(home)})
        if versions:
            number = serves(name, versions, of_model(folders, name, versions))
            places = [home / str(number) for home in homes]
            found[name] = number, next(place for place in places if place.is_dir())
    return found
