"""Opens sessions: by ONNX Runtime's library, or by its Python package where that is set.

`session` and `package` have the same classes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxlet.function.settings import by_package

if TYPE_CHECKING:
    from mmap import mmap

    from onnxlet.function.runtime import package, session

    Ending = session.Ending | package.Ending
    Session = session.Session | package.Session


def new_session(
    onnx: bytes | str, threads: int = 1, arrays: Mapping[str, mmap] | None = None
) -> Session:
    """A session of a serialised model, or its file; as `session.Session`, whose errors it raises.

    One thread gives the same digits on every machine.
    """
    opened: Session = _binding().Session(onnx, threads, arrays)
    return opened


def new_ending() -> Ending:
    """What ends a run of such a session."""
    ending: Ending = _binding().Ending()
    return ending


def runtime_version() -> str:
    """The version of ONNX Runtime that computes here."""
    return str(_binding().version())


def _binding() -> Any:
    if by_package(os.environ):
        from onnxlet.function.runtime import package  # no bundle has it

        return package
    from onnxlet.function.runtime import session  # most processes have no other

    return session


def _open_graph(graph: bytes | str, threads: int, file: Path, digest: str) -> Session:
    return new_session(graph, threads)


# Opens a graph whose hash was checked; a program of several processes has its own.
open_graph: Callable[[bytes | str, int, Path, str], Session] = _open_graph
