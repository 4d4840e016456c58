"""What is served at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from onnxlet.function.models.aliases import Aliases
from onnxlet.function.models.model import Model


class Catalogue(NamedTuple):
    """What is served at one moment.

    Attributes:
        versions: of each model, lowest first; names are sorted.
        loaded: the served version of each model, and others that were asked for.
        served: of each model, the version that answers where a request names none.
        aliases: of each model, the versions that have names.
    """

    versions: Mapping[str, Sequence[int]]
    loaded: dict[tuple[str, int], Model]
    served: Mapping[str, int] = {}
    aliases: Mapping[str, Aliases] = {}
