"""The proxy for a fitted estimator whose own methods are followed.

It is of a class made for it: between the user's class and the first parent that has a converter
stands one whose methods are answered by that converter, so that `super().predict(X)` and methods
that are inherited are not followed into scikit-learn.
"""

from __future__ import annotations

from types import FunctionType, MethodType, new_class
from typing import Any, NoReturn

from onnxlet.convert.converters.registration import ANSWERS, is_followed
from onnxlet.convert.converters.text_functions.translation import FOLLOWED
from onnxlet.convert.converters.tracing.base import refuse
from onnxlet.convert.converters.tracing.checks import validate_data
from onnxlet.convert.converters.tracing.fitted_values import IN_FIT, KEPT, asked, known
from onnxlet.convert.converters.tracing.reach import OF_FIT, names_of, reached
from onnxlet.convert.graph.converter import Graph, Unsupported
from onnxlet.folders import documented

WRAPPER = "_wrap_method_output"  # scikit-learn's, of set_output
# What may be another than a parent's, whose answers do not depend on it.
BESIDE = frozenset({"get_feature_names_out", "get_params", "score", "set_params"})
HINT = "Write its transform in Python, or register a converter" + documented(
    " (docs/how-to/converters.md).", " by @onnxlet.converts."
)


class Followed:
    """What comes before the user's class: nothing may be written to the estimator."""

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        refuse(f"it writes to self.{name}, {KEPT}", IN_FIT)

    def __delattr__(self, name: str) -> NoReturn:
        refuse(f"it deletes self.{name}, {KEPT}", IN_FIT)

    _validate_data = validate_data  # of scikit-learn before 1.7

    def _check_nothing(self, *_: Any, **__: Any) -> None:
        """Of scikit-learn before 1.7, too."""

    _check_n_features = _check_feature_names = _check_nothing


def own_method(estimator: Any, name: str) -> MethodType:
    """A method without what `set_output` puts around it.

    Unsupported: it is no Python.
    """
    method = getattr(estimator, name)
    function = getattr(method, "__func__", None)
    if getattr(getattr(function, "__code__", None), "co_qualname", "").startswith(WRAPPER):
        function = function.__wrapped__  # type: ignore[union-attr]
    if not isinstance(function, FunctionType):
        raise Unsupported(
            f"{type(estimator).__name__} has no converter, and its {name} can't be followed: there "
            "is no Python code of it",
            HINT,
        )
    return MethodType(function, method.__self__)


def stand_in(graph: Graph, fitted: Any) -> Any:
    """The proxy for a fitted estimator: its attributes are constants."""
    kind = type(fitted)
    parent = next((one for one in kind.__mro__[1:] if answers_for_others(graph, one)), None)
    between = () if parent is None else (_between(graph, fitted, parent),)
    bases, own = (Followed, kind, *between), {FOLLOWED: fitted, "__module__": kind.__module__}
    made: Any = object.__new__(new_class(kind.__name__, bases, {}, lambda body: body.update(own)))
    vars(made).update({name: known(graph, value) for name, value in vars(fitted).items()})
    return made


def _of(fitted: Any, name: str) -> Any:
    return lambda _, *given, **options: getattr(fitted, name)(*given, **options)


def answers_for_others(graph: Graph, kind: type) -> bool:
    """Whether a class has a converter that fits a subclass's own attributes."""
    return graph.knows(kind) and not is_followed(kind)


def _between(graph: Graph, fitted: Any, parent: type) -> type:
    """A subclass of the parent: its methods are answered by the parent's converter."""
    kind = type(fitted)
    classes = kind.__mro__[: kind.__mro__.index(parent)]
    found = {name for one in classes for name, value in vars(one).items() if callable(value)}
    # What an abstract parent leaves to its subclasses, as a selector's mask, is the estimator's.
    left = {name: _of(fitted, name) for name in getattr(parent, "__abstractmethods__", ())}
    own = {name for name in found - BESIDE - left.keys() if not name.startswith(OF_FIT)}
    plain: Any = object.__new__(new_class(parent.__name__, (parent,), {}, lambda b: b.update(left)))
    vars(plain).update(vars(fitted))

    def method(name: str) -> Any:
        def answer(self: Any, *given: Any, **options: Any) -> Any:
            asks = {n for f in reached(getattr(plain, name)).values() for n in names_of(f)}
            replaced = sorted(n for n in asks & own & {*dir(parent)} - {name} if n[:2] != "__")
            if replaced:
                refuse(
                    f"its own {', '.join(replaced)} may answer differently from "
                    f"{parent.__name__}'s, which {parent.__name__}.{name} asks",
                    f"Say the same with the settings of {parent.__name__}.",
                )
            return asked(graph, plain, name, *given, **options)

        answer.__name__ = name
        return answer

    made = new_class(parent.__name__, (parent,))
    for name in ANSWERS:
        if hasattr(plain, name):  # not before: set_output would be put around it
            setattr(made, name, method(name))
    return made
