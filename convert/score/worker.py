"""A process that does parts: each line that comes in is one, and its line in the journal goes out.

It ends when its connection does: nobody is there any more who asks.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import IO, Any

import onnxlet.environment  # noqa: F401 - before NumPy

FEWER = "Use fewer --workers, or smaller --batch-rows."
EVERY = 0.5  # seconds between two reports of rows


def serve(descriptor: int, parent: int) -> None:
    """Do parts until there are no more.

    Args:
        descriptor: of a socket, whose other end has who asks.
        parent: the process that asks: it may have ended before this one could ask for its number.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asked ends it
    connection = socket.socket(fileno=descriptor)
    answers = connection.makefile("w", encoding="utf-8")
    for line in connection.makefile(encoding="utf-8"):
        task = task_of(json.loads(line))
        report = _Report(answers, parent)
        _say(answers, said_of(task, partial(model_of, task.model, task.graph), report.rows))


def said_of(task: Any, load: Callable[[], Any], tick: Callable[[int], object]) -> dict[str, Any]:
    """Do a part: its line in the journal as `done`, or why there is none as `failed`.

    Args:
        task: the part.
        load: gives the model that answers.
        tick: called with how many rows have just been answered; what it raises ends the part.
    """
    from onnxlet.convert.score.doing import do
    from onnxlet.function.errors import OnnxletError

    try:
        return {"done": do(task, load(), tick)}
    except OnnxletError as error:
        kind, hint = type(error).__name__, error.hint
        return {"failed": {"kind": kind, "message": error.message, "hint": hint}}
    except MemoryError:
        message = f"'{task.file}': no memory"
        return {"failed": {"kind": "PartFailed", "message": message, "hint": FEWER}}


class _Report:
    """Says how many rows are answered, some at a time."""

    def __init__(self, answers: IO[str], parent: int) -> None:
        self._answers, self._parent = answers, parent
        self._rows, self._said = 0, time.monotonic()

    def rows(self, count: int) -> None:
        """Some more; ends the process where nobody listens any more."""
        self._rows += count
        if time.monotonic() - self._said > EVERY:
            if os.getppid() != self._parent:
                sys.exit()
            _say(self._answers, {"rows": self._rows})
            self._rows, self._said = 0, time.monotonic()


def _say(answers: IO[str], said: Mapping[str, Any]) -> None:
    try:
        answers.write(json.dumps(said) + "\n")
        answers.flush()
    except OSError:  # nobody is there any more
        sys.exit()


_models: dict[str, Any] = {}


def model_of(folder: str, graph: str) -> Any:
    """A model, loaded once in a process.

    Args:
        folder: of the version.
        graph: SHA-256 of its graph.

    Raises:
        ModelError: it is missing or altered, also since the scoring began.
    """
    if graph not in _models:
        import pyarrow as pa

        from onnxlet.function.errors import ModelError
        from onnxlet.function.models.model import GRAPH, load_model

        pa.set_cpu_count(1)  # there are as many processes as cores
        model = load_model(Path(folder))
        if model.manifest["files"][GRAPH] != graph:
            raise ModelError(f"model {folder}: its graph is another one now", "Score again.")
        _models[graph] = model
    return _models[graph]


def plain(task: Any) -> dict[str, Any]:
    """A task as JSON has it."""
    return asdict(task)


def task_of(found: Mapping[str, Any]) -> Any:
    """A task that JSON has brought."""
    from onnxlet.convert.score.tasks import Options, Task

    options = dict(found["options"])
    options["keep"] = tuple(options["keep"])
    names = tuple(found["names"])
    return Task(**{**found, "options": Options(**options), "names": names})
