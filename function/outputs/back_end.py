"""The back end: what becomes of an output after the graph, before anybody sees it.

A manifest's graph then has `back_end`: for each such output, by its name, one step and its
settings, `{"prediction": {"step": "items", …}}`. A step is a plain function that is made from its
settings and takes the output's array, rows first, and the rows that it answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from onnxlet.function.arrays import Array

if TYPE_CHECKING:
    from onnxlet.function.inputs.validation import Table
    from onnxlet.function.models.model import Model

# Takes the graph's array and the checked rows; returns an array with one entry for each row.
Step = Callable[[Array, "Table"], Array]

# The steps of each module of this folder: only models that have one import its module.
STEPS: Mapping[str, tuple[str, ...]] = {
    "boxes": ("boxes",),
    "items": ("items",),
    "sentences": ("sentences", "without_gaps"),
    "texts": ("text",),
}
MODULES = {step: f"onnxlet.function.outputs.{module}" for module in STEPS for step in STEPS[module]}


def steps_of(model: Model) -> dict[str, Step]:
    """The steps of a model, by output name.

    Each is made by its module's function of the same name, from the model and the settings.
    """
    entries: Mapping[str, Mapping[str, Any]] = model.manifest["graph"].get("back_end", {})
    return {name: _made(model, entry) for name, entry in entries.items()}


def _made(model: Model, entry: Mapping[str, Any]) -> Step:
    settings = dict(entry)
    name = settings.pop("step")
    made: Step = getattr(import_module(MODULES[name]), name)(model, **settings)
    return made
