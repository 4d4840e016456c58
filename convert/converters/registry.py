"""The converters: by family, by library, those of installed packages, and the user's own.

A converter is `convert(graph, fitted, table)`, see `graph.converter`. It returns the outputs of the
methods that it can convert, by name: `transform`; `predict` of regressors, of clusters and of
several labels; `class_index` of classifiers (int64, the index in `classes_`), `predict_proba`,
`decision_function`; `std` where `predict` can return one. It raises Unsupported, with a hint if
there is a way out, for what it can't write exactly.

Each module of a family's folder lists its converters by class in CONVERTERS, with what else is
known of the class (`registration`): a new family is a new file. So does each of `libraries`, where
a module or folder is named as the package whose estimators it converts, which need not be
installed: it is imported when one of them comes.

Other packages bring theirs along, by the entry point group `onnxlet.converters`; for classes known
here they are not asked. The name of an entry point is the package whose estimators it converts;
its value is a module with CONVERTERS, or such a mapping itself. It is loaded when the first of
these estimators comes.

The methods of an estimator of the user's own are followed, as functions are (`tracing`). What is of
no family goes to skl2onnx (`graph.fallback`). Parity judges the outcome of all.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import onnxlet.convert.converters as families
from onnxlet.convert.converters.registration import Registration, is_followed
from onnxlet.convert.errors import shortened
from onnxlet.convert.graph.converter import Converter, Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.folders import documented
from onnxlet.function.errors import WrongUse

__all__ = ["Graph", "Outputs", "Table", "Tensor", "Unsupported", "converters", "converts"]

LIBRARIES = f"{families.__name__}.libraries"
GROUP = "onnxlet.converters"
CONTENT = "a module with CONVERTERS, which maps classes of estimators to functions"
# A subclass that replaces only these still answers as its parent does; a selector is asked for its
# columns.
OF_THE_FIT = frozenset(
    {
        "_abc_impl", "_get_support_mask", "_parameter_constraints",
        "_sklearn_auto_wrap_output_keys", "fit", "fit_predict", "fit_transform", "partial_fit",
        "score",
    }
)  # fmt: skip
# Python and scikit-learn add such names to every class.
EVERYWHERE = re.compile("__(?!getattr)[a-z_]+__|set_[a-z_]+_request").fullmatch
_own: dict[type, Converter] = {}


def converts(*kinds: type) -> Callable[[Converter], Converter]:
    """Register the converter of an estimator class of your own, in the SOURCE file.

    Its graph has to pass the parity gate, as all do. WrongUse: it is given what is no class.
    """
    if not kinds or not all(isinstance(kind, type) for kind in kinds):
        raise WrongUse(f"@converts: expected classes, got {kinds!r:.60}", "Give the class itself.")

    def register(convert: Converter) -> Converter:
        _own.update(dict.fromkeys(kinds, convert))
        return convert

    return register


def _parents_that_answer(kind: type) -> Iterator[type]:
    """The parents whose converter fits a subclass, because it replaces nothing but the fit."""
    for index, one in enumerate(kind.__mro__[:-1]):
        others = kind.__mro__[index + 1 : -1]
        own = {name for name in vars(one) if name not in OF_THE_FIT and not EVERYWHERE(name)}
        if any(name in vars(other) for name in own for other in others):
            return
        yield from others[:1]


def _inside(package: ModuleType) -> Iterator[ModuleType]:
    """A package, and the modules in its folder."""
    yield package
    for one in pkgutil.iter_modules(getattr(package, "__path__", ()), f"{package.__name__}."):
        yield importlib.import_module(one.name)


def _listed(modules: Iterator[ModuleType]) -> dict[type, Registration]:
    """What modules list as CONVERTERS."""
    known: dict[type, Registration] = {}
    for module in modules:
        for kind, found in getattr(module, "CONVERTERS", {}).items():
            registered = _registered(found)
            if known.setdefault(kind, registered) != registered:
                raise ValueError(f"two converters for {kind.__name__}")
    return known


def _registered(found: Converter | Registration) -> Registration:
    return found if isinstance(found, Registration) else Registration(found)


def _of_library(package: str) -> dict[type, Registration]:
    """Of a package that has a module or folder in `libraries`.

    Raises:
        Unsupported: the modules do not know the version that is installed.
    """
    name = f"{LIBRARIES}.{package}"
    if find_spec(name) is None:
        return {}
    try:
        return _listed(_inside(importlib.import_module(name)))
    except ImportError as error:
        raise Unsupported(
            f"its converters need another version of {package}: {error}",
            "Install a version that they know" + documented(" (docs/reference/coverage.md)."),
        ) from error


def brought_for(package: str) -> Iterator[tuple[type, Registration]]:
    """What installed packages bring for the estimators of a package, by class.

    Raises:
        Unsupported: an entry point can't be loaded, or is none of converters; it is named.
    """
    for point in entry_points(group=GROUP, name=package):
        for kind, found in _read(point).items():
            yield kind, _registered(found)


def _read(point: EntryPoint) -> Mapping[type, Any]:
    try:
        loaded = point.load()
    except Exception as error:  # whatever the package does when it is imported
        raise _broken(point, f"{type(error).__name__}: {shortened(error)}") from error
    found: Any = loaded if isinstance(loaded, Mapping) else getattr(loaded, "CONVERTERS", None)
    if not isinstance(found, Mapping):
        raise _broken(point, f"expected {CONTENT}, got {type(loaded).__name__}")
    for kind, convert in found.items():
        if not isinstance(kind, type) or not (
            callable(convert) or isinstance(convert, Registration)
        ):
            raise _broken(point, f"expected {CONTENT}, got {kind!r}: {convert!r}")
    return found


def _broken(point: EntryPoint, reason: str) -> Unsupported:
    owner = f"{point.dist.name} {point.dist.version}" if point.dist else "a package"
    return Unsupported(
        f"the entry point '{point.name} = {point.value}' ({GROUP}) of {owner} is broken: {reason}",
        f"Mend {owner}, or uninstall it.",
    )


class Registry(Mapping[type, Converter]):
    """Converters by estimator class, the user's own first; and what else is registered."""

    def __init__(self) -> None:
        folders = pkgutil.iter_modules(families.__path__, f"{families.__name__}.")
        names = [one.name for one in folders if one.ispkg and one.name != LIBRARIES]
        known = (importlib.import_module(name) for name in names)
        self._known = _listed(module for folder in known for module in _inside(folder))
        self._of_others = self._known.pop(object)  # of any class that is followed
        # Packages whose library has been read here, and whose entry points were looked for.
        self._read: set[str] = set()
        self._asked: set[str] = set()

    def known(self, kind: type) -> Registration:
        """What is registered of this very class, or of all that are followed as it is."""
        try:
            found = self._found(kind)
        except Unsupported:  # its package is broken, which its conversion says
            return NOTHING
        return self._of_others if found is NOTHING and is_followed(kind) else found

    def _found(self, kind: type) -> Registration:
        package = kind.__module__.partition(".")[0]
        if kind not in self._known and package not in self._read and package in sys.modules:
            self._known |= _of_library(package)
            self._read.add(package)
        if kind not in self._known and package not in self._asked:
            self._known = {**dict(brought_for(package)), **self._known}
            self._asked.add(package)
        return self._known.get(kind, NOTHING)

    def inherited(self, kind: type, name: str) -> Any:
        """One field of a registration, of the class or of the first of its parents with one."""
        found = (getattr(self.known(one), name) for one in kind.__mro__[:-1])
        return next((value for value in found if value is not None), None)

    def __getitem__(self, kind: type) -> Converter:
        if kind in _own:
            return _own[kind]
        if (convert := self._found(kind).convert) is not None:
            return convert
        for parent in _parents_that_answer(kind):
            if parent in self and not is_followed(parent):
                return self[parent]
        if is_followed(kind) and self._of_others.convert is not None:
            return self._of_others.convert
        raise KeyError(kind)

    def __iter__(self) -> Iterator[type]:
        known = [kind for kind, one in self._known.items() if one.convert is not None]
        return iter(dict.fromkeys([*known, *_own]))

    def __len__(self) -> int:
        return len(list(iter(self)))


NOTHING = Registration()


@cache
def converters() -> Registry:
    """All converters, by estimator class; those of a library once one of its estimators came."""
    return Registry()


def inverse(graph: Graph, fitted: Any, x: Tensor) -> Tensor:
    """What a transformer's `inverse_transform` answers, of shape (rows, columns).

    Raises:
        Unsupported: it has no conversion.
    """
    write = converters().known(type(fitted)).inverse
    if write is None:
        raise Unsupported(
            f"the inverse of {type(fitted).__name__} has no conversion",
            "Transform the target by a scaler, PowerTransformer, QuantileTransformer, or a pair "
            "of NumPy functions.",
        )
    return write(graph, fitted, x)
