"""The model that is asked, and its golden rows as requests, which never leave this machine."""

from __future__ import annotations

import json
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple

from edge.slots import with_updates
from edge.update.errors import WrongUse
from function.model import AGAIN, way_out
from function.repository import NAME, versions_in

BATCH = 100  # rows of a large request


class Chosen(NamedTuple):
    """A model that can be asked.

    Attributes:
        models: folder of it and the others that are served beside it.
        name: its name.
        version: its highest version.
        golden: its golden rows, as `function.golden.compare` takes them.
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
    """The model of this name, else the first one, in its highest version.

    Raises:
        WrongUse: there is none, or it has no golden rows.
    """
    folders = [folder for folder in with_updates(models) if folder is not None]
    there = _highest(folders)
    if not there:
        raise WrongUse(
            f"{models}: expected model directories, got none",
            "Build one (python -m convert build), or say --models DIR.",
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


def _highest(folders: list[Path]) -> dict[str, tuple[int, Path]]:
    """Version and directory by name, the names sorted; where both have one, the first counts."""
    found: dict[str, tuple[int, Path]] = {}
    entries = [entry for folder in folders if folder.is_dir() for entry in folder.iterdir()]
    for entry in entries:
        versions = versions_in(entry) if NAME.fullmatch(entry.name) else []
        if versions and versions[-1] > found.get(entry.name, (0, entry))[0]:
            found[entry.name] = versions[-1], entry / str(versions[-1])
    return dict(sorted(found.items()))
