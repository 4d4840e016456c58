"""A program for another Python: it loads an estimator of its packages, and answers for it.

It is run as `python -I program.py values.py MEMORY SECONDS SECONDS`, with the standard library and
what belongs to that scikit-learn, and speaks by its standard input and output as `values.py` says.
MEMORY are bytes that it may take, SECONDS those for a message, and for an answer; 0 is no limit. It
ends with its input. Reading a pickle runs the code in it.
"""

from __future__ import annotations

import copy
import importlib.util
import os
import pickle
import signal
import sys
import warnings
from typing import Any

import numpy as np
import sklearn

NARROW = (np.float16, np.float32)


def main() -> None:
    """Load what the first message names, and answer each of the others."""
    values = _module(sys.argv[1])
    memory, seconds, for_answers = map(int, sys.argv[2:])
    _limit(memory)
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # a step may read or print what it likes
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    held: dict[str, Any] = {}
    while True:
        try:
            message, arrays = values.receive(requests)
        except EOFError:
            return
        # No handler: what computes in C would never come to it.
        signal.alarm(for_answers if message["do"] == "answer" else seconds)
        packing = values.Packing(message["do"] == "hand over")
        try:
            given = values.unpack(message["given"], arrays)
            made = packing.pack(DOES[message["do"]](held, **given))
        except Exception as error:
            said = {"kind": type(error).__name__, "text": str(error)[:2000],
                    "module": getattr(error, "name", None)}  # fmt: skip
            signal.alarm(0)
            values.send(answers, {"error": said}, [])
        else:
            signal.alarm(0)
            values.send(answers, {"made": made}, packing.arrays)


def _limit(memory: int) -> None:
    """Take no more memory than so many bytes, where the system knows such a limit."""
    try:
        import resource

        if memory:
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    except (ImportError, ValueError, OSError):
        pass


def _module(path: str) -> Any:
    """The module in a file, though no path leads to it."""
    spec = importlib.util.spec_from_file_location("values", path)
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type] # the file is there
    spec.loader.exec_module(module)  # type: ignore[union-attr] # likewise
    return module


def load(
    held: dict[str, Any], path: str, content: Any, folders: list[str], trusted: list[str],
    reader: Any, options: dict[str, Any],
) -> None:  # fmt: skip
    """Read the estimator of a file.

    `content` are the bytes of a .skops file, as an array: those that were judged. `reader` is the
    path of a module that reads what this one does not, by its `load(path, **options)`.
    """
    sys.path += folders
    if reader is not None:
        held["estimator"] = _module(reader).load(path, **options)
        return
    held["estimator"] = _read(path) if content is None else _of_skops(content, trusted)
    for part in _parts(held["estimator"], {}).values():
        if getattr(part, "n_jobs", None) is not None:
            part.n_jobs = 1  # sums in one order


def version(held: dict[str, Any]) -> str:
    """That of the scikit-learn that is here."""
    return str(sklearn.__version__)


def _of_skops(content: Any, trusted: list[str]) -> Any:
    import skops.io

    return skops.io.loads(content.tobytes(), trusted=trusted)


def _read(path: str) -> Any:
    if path.endswith(".joblib"):
        import joblib

        return joblib.load(path)
    with open(path, "rb") as file:  # noqa: PTH123 - a path that came as a text
        return pickle.load(file)  # noqa: S301 - the user's own, who is warned


def hand_over(held: dict[str, Any]) -> Any:
    """The estimator, to be packed as names, arguments and state; or what it says of itself."""
    described = getattr(held["estimator"], "described", None)
    return held["estimator"] if described is None else described()


def has(held: dict[str, Any], method: str) -> bool:
    """Whether the estimator has a method."""
    return hasattr(held["estimator"], method)


def answer(
    held: dict[str, Any], method: str, given: list[Any], options: dict[str, Any],
    steps: int | None, wide: bool,
) -> Any:  # fmt: skip
    """What a method answers: of the estimator, of its first steps, or of it in float64."""
    if wide and "wide" not in held:
        held["wide"] = _widened(copy.deepcopy(held["estimator"]))
    estimator = held["wide" if wide else "estimator"]
    if steps is not None:
        estimator = type(estimator)(estimator.steps[:steps])
        estimator.__sklearn_is_fitted__ = lambda: True  # as `of_steps` has it
    X, *others = given
    while not hasattr(estimator, method) and hasattr(estimator, "steps"):
        X = estimator[:-1].transform(X) if len(estimator.steps) > 1 else X
        estimator = estimator.steps[-1][1]
    return _plain(getattr(estimator, method)(X, *others, **options))


def _plain(made: Any) -> Any:
    if isinstance(made, (list, tuple)):
        return type(made)(map(_plain, made))
    return np.asarray(made.toarray() if hasattr(made, "toarray") else made)


def _parts(value: Any, seen: dict[int, Any]) -> dict[int, Any]:
    """All estimators in a value, by their ids."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, np.ndarray):
        value = value.ravel().tolist() if value.dtype == object else []
    if isinstance(value, (list, tuple)):
        for each in value:
            _parts(each, seen)
    elif hasattr(value, "get_params") and not isinstance(value, type) and id(value) not in seen:
        seen[id(value)] = value
        for each in list(vars(value).values()):
            _parts(each, seen)
    return seen


def _widened(estimator: Any) -> Any:
    """The estimator with every float32 number that it has kept in float64."""
    for part in _parts(estimator, {}).values():
        for name, value in list(vars(part).items()):
            vars(part)[name] = _wide(value)
    return estimator


def _wide(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)) or hasattr(value, "toarray"):
        return value.astype(np.float64) if value.dtype in NARROW else value
    if type(value) in (list, tuple):
        return type(value)(map(_wide, value))
    return {key: _wide(held) for key, held in value.items()} if type(value) is dict else value


DOES: dict[str, Any] = {
    "load": load, "version": version, "hand over": hand_over, "has": has, "answer": answer,
}  # fmt: skip

if __name__ == "__main__":
    main()
