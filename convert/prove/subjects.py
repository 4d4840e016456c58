"""Which kind of subject something is: a file, a folder, an address, a function, or an object."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from onnxlet.convert.prove.directory import directory
from onnxlet.convert.prove.onnx_file import onnx_file
from onnxlet.convert.prove.prove import Opened
from onnxlet.convert.prove.python_function import PythonFunction, predicting
from onnxlet.convert.proven_model import ProvenModel
from onnxlet.convert.sources.users_function import load_function
from onnxlet.function.errors import WrongUse

SECONDS = 30.0  # that an endpoint may take for one answer
FORMS = (
    "an .onnx file, a model directory such as models/NAME/1, the address of an endpoint "
    "(http://…), or FILE.py:FUNCTION"
)


def opened(subject: Any, seconds: float = SECONDS, key: str | None = None) -> Opened:
    """What opens a subject, once it is known what the estimator is given.

    A text or a path is one of FORMS; anything else is called, or asked to predict. An endpoint may
    take so many seconds for an answer, and is sent the key. Raises WrongUse where it is none of
    these.
    """
    if isinstance(subject, ProvenModel):
        subject = subject.directory
    if not isinstance(subject, str | os.PathLike):
        return _of_object(subject)
    text = os.fspath(subject)
    path = Path(text)
    if text.startswith(("http://", "https://")):
        from onnxlet.convert.prove.endpoint import endpoint

        return lambda given: endpoint(text, given, seconds, key)
    if path.suffix == ".onnx" and not path.is_dir():
        return lambda given: onnx_file(path, given)
    if path.is_dir():
        return lambda given: directory(path, given)
    if ":" in text:
        function = load_function(text, "SUBJECT")
        return lambda given: PythonFunction(text, function, given.reference)
    if path.exists():
        raise WrongUse(f"SUBJECT: expected {FORMS}, got the file '{text}'")
    raise WrongUse(f"SUBJECT: there is no '{text}'", f"Give {FORMS}.")


def _of_object(subject: Any) -> Opened:
    if any(hasattr(subject, name) for name in ("predict", "predict_proba", "transform")):
        return lambda given: predicting(subject, given.reference)
    if callable(subject):
        name = getattr(subject, "__name__", type(subject).__name__)
        return lambda given: PythonFunction(name, subject, given.reference)
    raise WrongUse(
        f"subject: expected {FORMS}, a function of rows or an object that predicts, "
        f"got {type(subject).__name__}"
    )
