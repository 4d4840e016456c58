"""The type of arrays, and the numbers that they hold at most."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

LARGEST_INTEGER = 2**63 - 1  # of int64
# The largest float64 that rounds to a finite float32: halfway to 2**128, less one.
LARGEST_FLOAT32 = float(np.nextafter(2.0**128 - 2.0**103, 0))
