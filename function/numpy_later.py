"""NumPy, imported when something of it is asked for: most requests of a few rows need none of it.

A module that every start imports takes `np` from here; any other imports NumPy itself.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

__all__ = ["is_array", "is_there", "np"]


def is_there() -> bool:
    """Whether NumPy is imported already."""
    return "numpy" in sys.modules


def is_array(value: Any) -> bool:
    """Whether a value is an array: without NumPy none is."""
    return is_there() and isinstance(value, np.ndarray)


if TYPE_CHECKING:
    import numpy as np
else:

    class _Later(ModuleType):
        def __getattr__(self, name: str) -> Any:
            import numpy

            found = getattr(numpy, name)
            setattr(self, name, found)  # from now on at once
            return found

    np = _Later("numpy")
