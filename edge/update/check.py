"""A slot's check of itself: its files match its bundle, and its models answer as at build."""

from __future__ import annotations

import importlib
from pathlib import Path

from onnxlet.edge.device.slots import LISTS, altered, digests_in
from onnxlet.function.errors import OnnxletError
from onnxlet.function.models.repository import versions_in
from onnxlet.function.serving.golden import load_proven

# Modules that serving and updating import: one that fails would do so later.
NEEDED = (
    "onnxlet.edge.service.app",
    "onnxlet.edge.service.serve",
    "onnxlet.edge.server.server",
    "onnxlet.edge.update.update",
)


def check_slot(slot: Path, models: Path | None) -> list[str]:
    """The faults found, in words, of the slot that this code is in, and of its models.

    Where a folder of models is given, only these are checked instead.
    """
    faults = [] if models else damage(slot)
    if faults:
        return faults
    for module in NEEDED:
        importlib.import_module(module)
    folder = models or slot / "models"
    found = [
        directory
        for model in sorted(folder.iterdir())
        for directory in (model / str(version) for version in versions_in(model))
    ]
    faults = [] if found else [f"{folder}: no models"]
    for directory in found:
        faults += _wrong(directory)
    return faults


def _wrong(directory: Path) -> list[str]:
    try:
        model, _, off = load_proven(directory)
    except OnnxletError as error:
        return [error.message]
    name = f"model {model.name}/{model.version}"
    # Golden rows may be somebody's data: report how many differ, not which.
    return [f"{name}: {len(off)} golden rows are answered differently than at build"] if off else []


def damage(slot: Path) -> list[str]:
    """The files that differ from the bundle's lists; empty if the slot is whole."""
    try:
        named = digests_in((slot / name).read_bytes() for name in LISTS)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return [f"{slot}: its lists can't be read: {type(error).__name__} {error}"]
    return [f"{slot / path}: altered or missing" for path in altered(slot, named)]
