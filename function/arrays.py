"""The type of arrays, and what they hold: the largest numbers, and the text that is missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
# What is noted as rows are run, by block and position: of a text the share of its unknown tokens,
# of an image its brightness and contrast; row by row.
Noted = dict[tuple[int, int], list[float]]

LARGEST_INTEGER = 2**63 - 1  # of int64
EXACT = 2**53  # whole numbers up to it are float64's own, one by one
# The largest float64 that rounds to a finite float32: halfway to 2**128, less one.
LARGEST_FLOAT32 = float(np.nextafter(2.0**128 - 2.0**103, 0))

# Stands for a missing text, since a string tensor of ONNX has no NaN. Two noncharacters: no text
# that people write has them, and a request that does is refused.
MISSING_TEXT = "\uffff\ufffe"
