"""An estimator as it was handed over, rebuilt of today's classes."""

from __future__ import annotations

import base64
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.exceptions import InconsistentVersionWarning

from onnxlet.convert.older.changes import NOT_ASKED, Version, adapted, found

# Of whose modules a name may be gone; any other that is not found is the user's to bring.
VERSIONED = ("_loss", "joblib", "numpy", "pandas", "scipy", "sklearn")
Back = Callable[[Any], Any]


class Gone(LookupError):
    """Today's packages have no such class or function."""


class Unsound(RuntimeError):
    """The numbers of an object lead outside its arrays."""


class Rebuilding:
    """Makes the objects of one message."""

    def __init__(self, version: Version, check: Callable[[Any], None] | None = None) -> None:
        self.version = version  # of the scikit-learn that it comes from
        self._check = check  # raises where an object's numbers lead elsewhere
        self.absent: list[str] = []  # attributes that could not be rebuilt, and why
        self._made: dict[int, Any] = {}  # by number

    def make(self, node: Any, back: Back) -> Any:
        """The object of a node, or the one that was made of the same number."""
        if node["is"] == "again":
            return self._made[node["of"]]
        number, of = node["number"], node["of"]
        if "make" in of:
            return self._object(number, of, back)
        self._made[number] = made = self._value(of, back)
        return made

    def _value(self, of: Any, back: Back) -> Any:
        if "name" in of and "index" not in of:
            return _today(*of["name"])
        if "dtype" in of:
            return np.dtype(of["dtype"])
        if "bytes" in of:
            return base64.b64decode(of["bytes"])
        if "random" in of:
            return np.random.RandomState(0) if of["random"] == "RandomState" else None
        if "index" in of:
            return pd.Index(back(of["index"]), name=back(of["name"]))
        raise Gone(f"nothing here reads {', '.join(of)}")

    def _object(self, number: int, of: Any, back: Back) -> Any:
        arguments = [back(each) for each in of["arguments"]]
        made = self._made[number] = _today(*of["make"])(*arguments)
        state = self._state(type(made).__name__, of["state"], back)
        state = adapted(made, state, self.version)
        if isinstance(state, dict) and not hasattr(made, "__setstate__"):
            vars(made).update(state)
        elif state is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", InconsistentVersionWarning)
                made.__setstate__(state)
        for item in of["items"]:
            made.append(back(item))
        for key, value in of["pairs"]:
            made[back(key)] = back(value)
        self._checked(made)
        return made

    def _checked(self, made: Any) -> None:
        """Raise Unsound before anything asks the object, which follows its numbers in C."""
        try:
            if self._check:
                self._check(made)
        except Exception as error:
            raise Unsound(str(error)) from error

    def _state(self, name: str, node: Any, back: Back) -> Any:
        """The state of an object; without the attributes that are of no class of today's."""
        if not isinstance(node, dict) or node["is"] != "dict":
            return back(node)
        state = {}
        for key, value in node["of"]:
            try:
                state[back(key)] = back(value)
            except (Gone, TypeError, ValueError) as error:
                if key not in NOT_ASKED:
                    self.absent.append(f"{name}.{key}: {error}")
        return state


def _today(module: str, name: str) -> Any:
    """A class or function by its name, as it is called today.

    Raises Gone, or what its import raises where it is no part of what belongs to scikit-learn.
    """
    try:
        return found(module, name)
    except (ImportError, AttributeError) as error:
        if module.partition(".")[0] in VERSIONED:
            raise Gone(f"there is no {module}.{name}") from error
        raise
