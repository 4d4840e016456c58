"""Converters that installed packages bring along, by the entry point group `onnxlet.converters`.

The name of an entry point is the package whose estimators it converts; its value is a module with
CONVERTERS, or such a mapping itself. It is loaded when the first of these estimators comes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from onnxlet.convert.errors import shortened
from onnxlet.convert.graph.converter import Converter, Unsupported

GROUP = "onnxlet.converters"
CONTENT = "a module with CONVERTERS, which maps classes of estimators to functions"


def of_package(package: str) -> Iterator[tuple[type, Converter]]:
    """What installed packages bring for the estimators of a package, by class.

    Raises:
        Unsupported: an entry point can't be loaded, or is none of converters; it is named.
    """
    for point in entry_points(group=GROUP, name=package):
        yield from _read(point).items()


def _read(point: EntryPoint) -> Mapping[type, Converter]:
    try:
        loaded = point.load()
    except Exception as error:  # whatever the package does when it is imported
        raise _broken(point, f"{type(error).__name__}: {shortened(error)}") from error
    found: Any = loaded if isinstance(loaded, Mapping) else getattr(loaded, "CONVERTERS", None)
    if not isinstance(found, Mapping):
        raise _broken(point, f"expected {CONTENT}, got {type(loaded).__name__}")
    for kind, convert in found.items():
        if not isinstance(kind, type) or not callable(convert):
            raise _broken(point, f"expected {CONTENT}, got {kind!r}: {convert!r}")
    return found


def _broken(point: EntryPoint, reason: str) -> Unsupported:
    owner = f"{point.dist.name} {point.dist.version}" if point.dist else "a package"
    return Unsupported(
        f"the entry point '{point.name} = {point.value}' ({GROUP}) of {owner} is broken: {reason}",
        f"Mend {owner}, or uninstall it.",
    )
