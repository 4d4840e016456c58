"""docs/reference/tracing.md is the contract: it lists what is traced, and nothing else."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from types import ModuleType
from typing import Any

import numpy as np
from scipy import special

from onnxlet.convert.converters.tracing.modules import OF_MATH, TRACED
from onnxlet.convert.converters.tracing.traced import ARRAY_FUNCTIONS
from onnxlet.convert.converters.tracing.ufuncs import UFUNCS
from tests.conftest import ROOT

TEXT = (ROOT / "docs" / "reference" / "tracing.md").read_text()
# Older or other names of functions that are listed.
ALIASES = {
    "amax", "amin", "around", "asanyarray", "ascontiguousarray", "asfortranarray", "concat",
    "in1d", "ndim", "real", "round_", "shape",
}  # fmt: skip
BESIDE = {"abs", "c_", "linalg.norm", "vectorize"}  # followed in a way of their own


def listed(section: str) -> set[str]:
    """Names in the second column of a section's table."""
    table = TEXT.split(f"\n## {section}\n")[1].split("\n## ")[0]
    cells = [line.split(" | ")[1] for line in table.splitlines() if line.startswith("| ")]
    return set(re.findall(r"`([a-z_][\w.]*)`", "\n".join(cells)))


def names_in(module: ModuleType, functions: Collection[Any]) -> set[str]:
    """Names of the functions that are this module's."""
    names = {getattr(function, "__name__", "") for function in functions}
    return {name for name in names if getattr(module, name, None) in functions}


def traced() -> set[str]:
    """Names of NumPy that the code traces."""
    functions = {*UFUNCS, *ARRAY_FUNCTIONS}
    return names_in(np, functions) | {name for module, name in TRACED if module is np}


def test_every_name_of_numpy_is_traced_and_listed() -> None:
    of_nan = {name for name in traced() if name.startswith("nan") and name != "nan_to_num"}
    assert {name.removeprefix("nan") for name in of_nan} <= listed("NumPy")
    assert traced() - of_nan - ALIASES == listed("NumPy") - BESIDE


def test_every_name_of_scipy_and_math_is_traced_and_listed() -> None:
    of_scipy = names_in(special, UFUNCS)
    rounded = {"ceil", "floor", "trunc"}  # methods of what is given: Python asks for them
    assert of_scipy | set(OF_MATH) | rounded == listed("SciPy and math")
    assert all(hasattr(math, name) for name in rounded | set(OF_MATH))
