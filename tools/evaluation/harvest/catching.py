"""Catches every estimator that a script fits, with the rows that it was fitted on."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

FITTING = ("fit", "fit_transform", "fit_predict")
ALIKE = 3  # of models of the same classes on columns as many, such as those of a validation curve
MOST = 40  # of one script
CLASS = re.compile(r"\b[A-Z]\w+(?=\()")
OF_ANSWERS = ("LabelEncoder", "LabelBinarizer", "MultiLabelBinarizer")  # they take y, not rows
LONGEST = 20_000  # characters of a representation


@dataclass
class Caught:
    """A fitted estimator."""

    estimator: Any  # a copy of it, as it was after fit
    X: Any  # the rows that it was fitted on
    shown: str  # its classes, in words


@dataclass
class Catcher:
    """What was fitted by the script itself, not by another estimator's fit."""

    caught: list[Caught] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)
    _alike: Counter[str] = field(default_factory=Counter)
    _depth: int = 0

    def install(self) -> None:
        """Wrap the fit of every estimator class that is defined from now on.

        To be called before the rest of scikit-learn is imported.
        """
        made = BaseEstimator.__dict__.get("__init_subclass__")

        def init_subclass(cls: Any, /, **options: Any) -> None:
            if made is None:
                super(BaseEstimator, cls).__init_subclass__(**options)
            else:
                made.__func__(cls, **options)
            for name in FITTING:
                if name in cls.__dict__ and callable(cls.__dict__[name]):
                    setattr(cls, name, self._wrapped(cls.__dict__[name]))

        BaseEstimator.__init_subclass__ = classmethod(init_subclass)

    def _wrapped(self, fit: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(fit)
        def fitting(estimator: Any, *args: Any, **options: Any) -> Any:
            self._depth += 1
            try:
                made = fit(estimator, *args, **options)
            finally:
                self._depth -= 1
            if self._depth == 0 and type(estimator).__name__ not in OF_ANSWERS:
                named = (options[name] for name in ("X", "raw_documents") if name in options)
                X = args[0] if args else next(named, None)
                X = getattr(X, "_fit_X", X)  # of neighbours that were fitted
                if hasattr(X, "__len__") or hasattr(X, "shape"):  # a generator has ended
                    self._keep(estimator, X)
            return made

        return fitting

    def _keep(self, estimator: Any, X: Any) -> None:
        described = estimator.__repr__(N_CHAR_MAX=LONGEST) if X is not None else ""
        width = np.shape(X)[1:] if hasattr(X, "shape") else ()
        shown = " > ".join(dict.fromkeys(CLASS.findall(described)))
        alike, same = f"{shown} {type(X)} {width}", f"{described} {type(X)} {width}"
        if (
            X is None
            or same in self._seen
            or len(self.caught) == MOST
            or self._alike[alike] == ALIKE
        ):
            return
        self._seen.add(same)
        self._alike[alike] += 1
        with suppress(Exception):  # an object that can't be copied is left as it is
            estimator, X = deepcopy(estimator), deepcopy(X)
        self.caught.append(Caught(estimator, X, shown))
