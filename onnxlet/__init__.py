"""A scikit-learn model becomes a small ONNX function behind one Flask handler.

In scripts and notebooks `build`, `train`, `verify`, `prove` and `score` do what the commands of
these names do, `converts` registers the converter of an estimator of your own, `DateParts` and
`Images` make numbers of dates and of images in a pipeline, `Ratings` recommends items by what users
rated, `Summary` picks the sentences of a text that say most of it, and `register_duckdb` gives
DuckDB functions that predict. What they raise is an `OnnxletError`: `Refusal`, `WrongUse` and
others. Importing this loads none of what they need.
"""

import os
from typing import TYPE_CHECKING

from onnxlet.folders import VERSION

__version__ = VERSION
__all__ = [
    "BreakingChange", "DateParts", "Images", "InvalidRows", "ModelError", "NotCalibrated",
    "OnnxletError", "Ratings", "Refusal", "Summary", "Unfinished", "WrongUse", "build", "converts",
    "prove", "register_duckdb", "score", "train", "verify",
]  # fmt: skip

# ONNX Runtime would keep an id of this machine in the home, and report to Microsoft what it does.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from onnxlet.convert.converters.registry import converts
    from onnxlet.convert.errors import BreakingChange, Refusal
    from onnxlet.convert.estimators.date_parts import DateParts
    from onnxlet.convert.estimators.images import Images
    from onnxlet.convert.estimators.ratings import Ratings
    from onnxlet.convert.estimators.summary import Summary
    from onnxlet.convert.interface import build, prove, train, verify
    from onnxlet.convert.score.duckdb import register_duckdb
    from onnxlet.convert.score.errors import Unfinished
    from onnxlet.convert.score.interface import score
    from onnxlet.function.errors import (
        InvalidRows,
        ModelError,
        NotCalibrated,
        OnnxletError,
        WrongUse,
    )
else:
    _MODULES = {
        **dict.fromkeys(("BreakingChange", "Refusal"), "onnxlet.convert.errors"),
        **dict.fromkeys(
            ("InvalidRows", "ModelError", "NotCalibrated", "OnnxletError", "WrongUse"),
            "onnxlet.function.errors",
        ),
        "Unfinished": "onnxlet.convert.score.errors",
        "DateParts": "onnxlet.convert.estimators.date_parts",
        "Images": "onnxlet.convert.estimators.images",
        "Ratings": "onnxlet.convert.estimators.ratings",
        "Summary": "onnxlet.convert.estimators.summary",
        "build": "onnxlet.convert.interface",
        "converts": "onnxlet.convert.converters.registry",
        "prove": "onnxlet.convert.interface",
        "register_duckdb": "onnxlet.convert.score.duckdb",
        "score": "onnxlet.convert.score.interface",
        "train": "onnxlet.convert.interface",
        "verify": "onnxlet.convert.interface",
    }

    def __getattr__(name: str) -> object:
        """Import what a public name stands for, when it is first used."""
        if name not in _MODULES:
            raise AttributeError(f"module 'onnxlet' has no attribute '{name}'")
        from importlib import import_module

        from onnxlet.not_set_up import explained

        try:
            return getattr(import_module(_MODULES[name]), name)
        except ModuleNotFoundError as error:
            raise explained(error) from None

    def __dir__() -> "list[str]":
        """With the public names, which notebooks complete."""
        return sorted([*globals(), *__all__])
