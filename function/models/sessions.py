"""ONNX Runtime's sessions, and who opens them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnxruntime

if TYPE_CHECKING:
    from mmap import mmap

DIRECTLY = "session.use_external_initializer_file_buffers_directly"


def new_session(
    onnx: bytes | str, threads: int = 1, arrays: Mapping[str, mmap] | None = None
) -> Any:
    """An ONNX Runtime session on this machine's processor, of a serialised model or its file.

    Threads are within one operator; 1 gives the same digits on every machine. The arrays are files
    that the model refers to, in memory by their names; read where they are.
    """
    options = onnxruntime.SessionOptions()
    # One thread gives the same digits on every machine; idle ones would spin.
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what goes wrong is raised, and logged once
    if arrays:
        options.add_session_config_entry(DIRECTLY, "1")
        sizes = [memoryview(each).nbytes for each in arrays.values()]
        options.add_external_initializers_from_files_in_memory(
            list(arrays), list(arrays.values()), sizes
        )
    session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    # It keeps the serialised model for other providers to fall back to, of which there are none.
    session._model_bytes = None
    session.arrays = arrays  # as long as it is there
    return session


def _open_graph(graph: bytes | str, threads: int, file: Path, digest: str) -> Any:
    return new_session(graph, threads)


# Opens a graph whose hash was checked; a program of several processes has its own.
open_graph: Callable[[bytes | str, int, Path, str], Any] = _open_graph
