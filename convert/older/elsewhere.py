"""An estimator of another scikit-learn, or of AutoGluon: asked in a process of its environment."""

from __future__ import annotations

import os
import signal
import subprocess
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline

from onnxlet.convert.older import values
from onnxlet.convert.workers.program import MOST_MEMORY, PATIENCE

PROGRAM, VALUES = (Path(__file__).with_name(name) for name in ("program.py", "values.py"))
# What an estimator raises there is raised here as one of these, where it is one.
RAISED: dict[str, type[Exception]] = {
    each.__name__: each
    for each in (AttributeError, IndexError, NotFittedError, TypeError, ValueError)
}
METHODS = ("decision_function", "predict_proba")  # that not all versions of a class have
# Sums in one order; and no threads that wait for each other in each of many small answers.
ONE_THREAD = dict.fromkeys(("MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
# Of a .skops file's process: bytes of memory, seconds for a message and for an answer to many rows.
LIMITS = (MOST_MEMORY, int(PATIENCE), 3600)
ENDED = (EOFError, BrokenPipeError)


def of_path() -> list[str]:
    """The folders of PYTHONPATH, where modules of the user's own are: `-I` looks in none."""
    return [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]


class RaisedThere(RuntimeError):
    """What was asked raised in the other process."""

    def __init__(self, kind: str, text: str, module: str | None = None) -> None:
        super().__init__(f"{kind}: {text}" if kind else text)
        self.kind, self.module = kind, module  # the exception's class; what could not be imported


class Link:
    """A process of another Python that has an estimator, and is asked by messages.

    One that has crashed is started again with the next question.
    """

    def __init__(
        self,
        python: Path,
        file: Path,
        folders: Sequence[str],
        trusted: Sequence[str] = (),
        content: bytes | None = None,
        reader: Path | None = None,
        **options: Any,
    ) -> None:
        """`content` is what was judged of a .skops file, whose time and memory are limited.

        `reader` is a module that reads the file there, with its options.
        """
        self.python = python
        self._limits = [str(0 if content is None else limit) for limit in LIMITS]
        self._loads = {
            "path": str(file.resolve()), "folders": list(folders), "trusted": list(trusted),
            "content": None if content is None else np.frombuffer(content, dtype=np.uint8),
            "reader": None if reader is None else str(reader), "options": options,
        }  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def asked(self, does: str, make: values.Make = values.no_objects, **given: Any) -> Any:
        """What the process answers. Raises what it raises, or RaisedThere."""
        if self._process is None:
            self._start()
            self._said("load", values.no_objects, self._loads)
        return self._said(does, make, given)

    def _start(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own program and its Python
            [self.python, "-I", PROGRAM, VALUES, *self._limits],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**os.environ, **ONE_THREAD},
        )  # fmt: skip
        self.close = weakref.finalize(self, _end, self._process)

    def _said(self, does: str, make: values.Make, given: dict[str, Any]) -> Any:
        process, packing = self._process, values.Packing()
        packed = packing.pack(given)
        if process is None or process.stdin is None or process.stdout is None:
            raise RaisedThere("", "its process has no pipes")
        try:
            values.send(process.stdin, {"do": does, "given": packed}, packing.arrays)
            message, arrays = values.receive(process.stdout)
        except ENDED as error:
            self.close()
            self._process = None
            raise RaisedThere("", f"its process ended by {_ending(process.returncode)}") from error
        except BaseException:  # an answer that was not waited for would be the next one's
            self.close()
            self._process = None
            raise
        if said := message.get("error"):
            raise _raised(said, RAISED if does == "answer" else {})
        return values.unpack(message["made"], arrays, make)


def _raised(error: dict[str, Any], known: dict[str, type[Exception]]) -> Exception:
    kind, text = str(error["kind"]), str(error["text"])
    return known[kind](text) if kind in known else RaisedThere(kind, text, error["module"])


def _ending(code: int) -> str:
    if code == -signal.SIGALRM:
        return "the end of its time"
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Close its input, by which it ends."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except BrokenPipeError:  # what was not written yet
                continue
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@dataclass(frozen=True)
class Elsewhere:
    """An estimator that answers in another process; its attributes are read of the one here."""

    here: Any  # the same estimator, as it was read here
    version: str  # of the library that answers, and that fitted it
    link: Link = field(repr=False)
    steps: int | None = None  # so many steps of a Pipeline; None is all of them
    wide: bool = False  # with all that it has kept in float64
    library: str = "scikit_learn"  # that answers
    # Raises for rows that are not sent there, though they would be answered.
    check: Callable[[Any], None] = field(default=lambda rows: None, repr=False)

    def in_float64(self) -> Elsewhere:
        """The same with every float32 number that it has kept held in float64."""
        return replace(self, wide=True)

    def first(self, steps: int) -> Elsewhere:
        """So many of its steps, which transform."""
        return replace(self, steps=steps)

    def __getattr__(self, name: str) -> Any:
        """A method, which is asked there; anything else as it is here.

        Raises AttributeError where the estimator, or a Pipeline's last step, has none here.
        """
        if name.startswith("__") or (name in METHODS and not self._has(name)):
            raise AttributeError(name)
        last = self.here if self.steps is None else self.here.steps[self.steps - 1][1]
        while isinstance(last, Pipeline):
            last = last.steps[-1][1]
        value = getattr(last, name)
        return partial(self._asked, name) if callable(value) else value

    def _has(self, method: str) -> bool:
        return bool(self.link.asked("has", method=method))

    def _asked(self, method: str, *given: Any, **options: Any) -> Any:
        self.check(given[0])
        return self.link.asked(
            "answer", method=method, given=list(given), options=options,
            steps=self.steps, wide=self.wide,
        )  # fmt: skip
