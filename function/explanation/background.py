"""The background rows of a model: read once from its directory, checked, and answered."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from onnxlet.function import json_text
from onnxlet.function.arrays import Array
from onnxlet.function.errors import InvalidRows, MalformedRequest, ModelError, NoBackground
from onnxlet.function.inputs.validation import CheckedBatch, validate_rows
from onnxlet.function.model_files import AGAIN, read_checked
from onnxlet.function.models.model import Model

FILE = "background.json"
USUAL = 2**17  # rows a second that explanations may cost, where the build has not measured fewer


class Background(NamedTuple):
    """Rows that explanations start from."""

    source: str  # "statistics", or "training rows"
    table: CheckedBatch  # the rows, with images decoded
    outputs: Mapping[str, Array]  # the model's answers to them


def has_background(model: Model) -> bool:
    """Whether the model was built with one."""
    return model.directory is not None and FILE in model.manifest.get("files", {})


def evaluations(model: Model) -> int:
    """Rows that may be answered for each second that a request gives to its explanations.

    It was measured when the model was built: the same request has the same answer anywhere.
    """
    known = model.manifest.get("background", {}).get("evaluations")
    return min(known, USUAL) if type(known) is int and known > 0 else USUAL


_known: WeakKeyDictionary[Model, Background] = WeakKeyDictionary()
_lock = threading.Lock()


def background(model: Model) -> Background:
    """The background of a model.

    Raises NoBackground where it was built without one; ModelError where the file is missing,
    altered since the build, or not answered.
    """
    with _lock:
        if model not in _known:
            _known[model] = _read(model)
        return _known[model]


def _read(model: Model) -> Background:
    label = f"model {model.name}/{model.version}"
    expected = model.manifest.get("files", {}).get(FILE)
    if model.directory is None or expected is None:
        raise NoBackground(
            f"{label} has no background rows to explain its answers from",
            "Build the version again, with --keep-background N where made-up rows are not "
            "answered; import a model with --sample.",
        )
    content = read_checked(model.directory, FILE, expected, label)
    try:
        about = json_text.loads(content)
        table = decoded(model, about["instances"])
        return Background(str(about["source"]), table, model.run(table))
    except (InvalidRows, MalformedRequest, KeyError, TypeError) as error:
        raise ModelError(f"{label}: {FILE} is not answered: {error}", AGAIN) from error


def decoded(model: Model, rows: Sequence[Any]) -> CheckedBatch:
    """Rows of a background, with images decoded once for all runs.

    Raises InvalidRows where they are not of the model's signature.
    """
    table = validate_rows(rows, model.signature)
    if feeds := model.signature.image_feeds:
        from onnxlet.function.inputs.image_feed import decoded_once  # models without images

        table = CheckedBatch(table.rows, decoded_once(feeds, table.arrays))
    return table


def text_columns(model: Model) -> dict[str, list[Mapping[str, Any]]]:
    """The settings of the vectorisers that each column of text goes into, by its name."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for tensor in model.manifest["graph"]["inputs"]:
        for name in tensor["columns"] if "tokens" in tensor else ():
            found.setdefault(name, []).append(tensor["tokens"])
    return found
