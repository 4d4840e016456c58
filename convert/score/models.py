"""Which version of which model is meant, proven on this machine before it answers."""

from __future__ import annotations

import os
from pathlib import Path

from onnxlet.function.errors import ModelError, WrongUse
from onnxlet.function.models.aliases import file_of, read, serves
from onnxlet.function.models.model import Model
from onnxlet.function.models.repository import NAME, versions_in
from onnxlet.function.serving.golden import load_proven
from onnxlet.function.settings import pins_of


def directory_of(given: str, models: Path) -> Path:
    """The folder of a version: that very one, a model's, whose served version it is, or a name.

    Names are looked for in `models`.

    Raises:
        WrongUse: there is no such model.
        ModelError: its aliases can't be used.
    """
    for path in (Path(given), models / given if NAME.fullmatch(given) else None):
        if path is None:
            continue
        if (path / "manifest.json").is_file():
            return path.absolute()
        if versions := versions_in(path):
            home = path.absolute()
            aliases = read(file_of([home.parent], home.name), versions)
            pin = pins_of(os.environ.get("ONNXLET_SERVE", ""), []).get(home.name)
            return home / str(serves(home.name, versions, aliases, pin))
    there = sorted(path.name for path in models.glob("*") if versions_in(path))
    listed = (
        f" '{models}' has {', '.join(there)}." if there else f" There is no model in '{models}'."
    )
    raise WrongUse(
        f"MODEL: there is no model '{given}'", f"Expected DIR/N/V, DIR/N, or a name.{listed}"
    )


def proven(directory: Path) -> Model:
    """A version whose golden rows are answered here as at build.

    Raises ModelError where a file is missing or altered, or an answer is another one.
    """
    model, _, faults = load_proven(directory)
    if faults:
        raise ModelError(
            f"model {model.name}/{model.version} answers otherwise on this machine: "
            f"{'; '.join(faults[:3])}",
            "onnxlet verify shows the same; its ONNX Runtime differs from the one that built it.",
        )
    return model
