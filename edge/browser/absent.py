"""What can't be had in a browser: NumPy, Pillow, and what is computed with them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

from onnxlet.function.errors import RequestError

# By the name of a module, what asks for it.
ABSENT = {
    "numpy": "an answer in this form",
    "PIL": "pictures",
    "onnxlet.function.inputs.image_feed": "pictures",
    "onnxlet.function.inputs.sentences": "key sentences",
    "onnxlet.function.inputs.sequences": "texts that a model writes",
    "onnxlet.function.serving.unusual": "unusual rows",
}


class NeedsServer(RequestError):
    """What is asked for is computed with NumPy or Pillow, which have no build for browsers."""

    status = 501

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} can't be had in a browser: that takes NumPy or Pillow, which are not there",
            "A server or a device with this model answers it.",
        )


class Refusing:
    """A finder of modules that raises NeedsServer: a missing one would be a failure, 500."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Refuse what is not there; all else is another finder's."""
        if name in ABSENT:
            raise NeedsServer(ABSENT[name])
        return None


def refuse_what_is_absent() -> None:
    """Have imports of what is absent refused as requests are."""
    sys.meta_path.insert(0, Refusing)
