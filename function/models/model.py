"""One version of one model: read from its directory, checked, and run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxlet.function import deadline, json_text
from onnxlet.function.arrays import MISSING_TEXT, Array, LateArrays, Noted
from onnxlet.function.errors import InvalidRows, MalformedRequest, ModelError, Problem
from onnxlet.function.inputs import nested
from onnxlet.function.inputs.columns import Output
from onnxlet.function.inputs.signature import Signature
from onnxlet.function.inputs.validation import CheckedBatch
from onnxlet.function.model_files import AGAIN, check_hash, read_checked, read_file, way_out
from onnxlet.function.models.few_rows import FewRows, few_rows_of, refuse_raising
from onnxlet.function.models.imported_graphs import run_by_size, run_checked
from onnxlet.function.numpy_later import np
from onnxlet.function.runtime import sessions
from onnxlet.function.runtime.sessions import new_session

if TYPE_CHECKING:
    from onnxlet.function.outputs.back_end import CellStep, Step

MANIFEST_FORMAT = 1
GRAPH = "model.onnx"
MANIFEST = "manifest.json"
REPORT = "report."  # how the names of a report's files begin: they lie beside the model, not of it
PAGE, PAGE_HASH = f"{REPORT}html", f"{REPORT}sha256"  # as sha256sum writes it
IMPORTED = "function"  # the task of what another framework exported
CELLS_RUN_AT_ONCE = 2**19  # of a batch: what a graph computes on the way is as large as that
LEAST_ROWS = 64  # that are run together whatever their width: each run has its own cost
NO_VERSION = "Name the folder of one version, such as models/NAME/1."


class Model:
    """A model that answers, from its manifest and its graph.

    The graph's bytes are opened at once; or `onnx` opens a session when the first request needs
    one.
    """

    def __init__(
        self,
        name: str,
        version: int,
        manifest: Mapping[str, Any],
        onnx: bytes | Callable[[], Any],
    ) -> None:
        self.name = name
        self.version = version
        self.manifest = manifest
        self.signature = Signature.from_manifest(manifest)
        # Of a classifier, in the order of its probabilities.
        self.classes: list[Any] | None = manifest.get("classes")
        self.directory: Path | None = None  # that it was read from
        # Files beside the graph, while there is no directory yet.
        self.contents: Mapping[str, bytes] = {}
        # `default` and `most` nearest that it answers.
        self.k: Mapping[str, int] | None = manifest["graph"].get("k")
        self._given: dict[str, Array] = {}
        self._open = partial(new_session, onnx) if isinstance(onnx, bytes) else onnx
        self._opening = threading.Lock()
        self._names = [str(entry) for entry in manifest["graph"]["outputs"]]
        self._back_end: Mapping[str, Step] = {}
        self._cell_steps: Mapping[str, CellStep] | None = {}
        if "back_end" in manifest["graph"]:
            from onnxlet.function.outputs import back_end  # most models start without it

            self._back_end = back_end.steps_of(self)
            self._cell_steps = back_end.cell_steps_of(self)
        self._shapes = {
            name: output.shape
            for name, output in zip(self._names, self.signature.outputs, strict=True)
            if output.name not in self._back_end
        }
        self._watched = "raising" in manifest["graph"]
        if self._watched:
            self._names.append(str(manifest["graph"]["raising"]))
        if isinstance(onnx, bytes):
            self.open()

    def with_manifest(
        self, manifest: Mapping[str, Any], contents: Mapping[str, bytes] | None = None
    ) -> Model:
        """The same graph, in the same session, behind another manifest."""
        model = Model(self.name, self.version, manifest, lambda: self._session)
        model.contents = contents or {}
        return model

    def at_k(self, k: int) -> Model:
        """The same model as it answers another number of nearest."""
        self.open()
        model = copy(self)
        model.__dict__.pop("_few", None)
        model._given = {"k": np.array([k], np.int64)}
        model.signature = copy(self.signature)
        model.signature.outputs = tuple(o._replace(shape=(-1, k)) for o in model.signature.outputs)
        return model

    def content(self, file: str) -> bytes:
        """A file that lies beside the graph, by the SHA-256 that the manifest has of it.

        Raises ModelError where it is missing, or was altered.
        """
        if self.directory is None:
            return self.contents[file]
        label = f"model {self.name}/{self.version}"
        return read_checked(self.directory, file, self.manifest["files"].get(file), label)

    def open(self) -> None:
        """Open the session before a request needs it."""
        _ = self.output_types

    @cached_property
    def _session(self) -> Any:
        with self._opening:  # two threads may be first: one session is enough
            if "_session" not in self.__dict__:
                self.__dict__["_session"] = self._open()
            return self.__dict__["_session"]

    @cached_property
    def _few(self) -> FewRows | None:
        """What answers few rows; None where only arrays do."""
        steps = self._cell_steps
        if self._given or steps is None or self.manifest["task"] == IMPORTED:
            return None
        return few_rows_of(self._session, self.signature, self._names, self._watched, steps)

    @property
    def has_report(self) -> bool:
        """Whether a report lies beside it, with its hash."""
        return self.directory is not None and (self.directory / PAGE_HASH).is_file()

    @cached_property
    def output_types(self) -> dict[str, str]:
        """The outputs' types, by name: float32 where the graph computes no more digits."""
        return {
            output.name: "float32"
            if (output.type, self._session.outputs[name]) == ("float64", "float32")
            else output.type
            for output, name in zip(self.signature.outputs, self._names, strict=False)
        }

    def run(
        self,
        table: CheckedBatch,
        only: str | None = None,
        counted: Mapping[str, Mapping[str, Array]] | None = None,
        noted: Noted | None = None,
    ) -> Mapping[str, Array]:
        """Predict a checked batch; safe from several threads at once.

        `only` is the one output that is wanted; `counted` has both tensors of token feeds, by the
        feed's name, where they are known; `noted` takes what is counted of texts and images.
        Returns by output name an array with one entry per row: numbers as ONNX Runtime gave them,
        labels in their own type (strings in an object array, None for a missing text). Raises
        InvalidRows for rows that scikit-learn raises for, although it takes each of their values;
        or texts that are no images.
        """
        step, names, outputs = self.signature.rows_at_once, self._names, self.signature.outputs
        if isinstance(table.arrays, LateArrays) and only is None and self._few is not None:
            answered = self._few.answer(table.arrays.cells, table.rows, noted)
            if answered is not None:
                return answered
        if counted and len(counted) == len(self.signature.token_feeds):
            step = self.signature.counted_at_once
        if only is not None:
            index = [output.name for output in outputs].index(only)
            names, outputs = [names[index], *names[len(outputs) :]], (outputs[index],)
        if self.signature.nested or self.signature.id_feed:
            answer = partial(self._answers, names=names, counted={})
            arrays = run_by_size(answer, table, self.signature, noted)
            return self._declared(arrays, outputs, table)
        if table.rows > LEAST_ROWS:  # what a graph computes on the way is as large as its batch
            cells = sum(array.shape[1] for array in table.arrays)
            if table.rows * cells > CELLS_RUN_AT_ONCE:
                fitting = max(LEAST_ROWS, CELLS_RUN_AT_ONCE // cells)
                step = min(fitting, step or fitting)
        if step is None or table.rows <= step:
            arrays = self._answers(table.arrays, names, counted or {}, noted=noted)
        else:
            parts, problems = list[list[Array]](), list[Problem]()
            for start in range(0, table.rows, step):
                rows = slice(start, start + step)
                some = {  # a feed's other tensor says which columns all rows have
                    name: {**tensors, name: tensors[name][rows]}
                    for name, tensors in (counted or {}).items()
                }
                blocks = [array[rows] for array in table.arrays]
                try:
                    parts.append(self._answers(blocks, names, some, start, noted))
                except InvalidRows as error:
                    problems += error.every
            if problems:
                raise InvalidRows(problems)
            arrays = [np.concatenate(members) for members in zip(*parts, strict=True)]
        if self._watched and (flags := arrays.pop()).any():
            refuse_raising(flags.ravel().tolist())
        return self._declared(arrays, outputs, table)

    def _declared(
        self, arrays: Sequence[Array], outputs: Sequence[Output], table: CheckedBatch
    ) -> dict[str, Array]:
        return {
            output.name: as_declared(array, output)
            if output.name not in self._back_end
            else self._back_end[output.name](array, table)
            for array, output in zip(arrays, outputs, strict=True)
        }

    def terms(self, table: CheckedBatch) -> Array:
        """What each term adds to the score, of shape (rows, terms, numbers).

        Only for a model whose manifest says what its score is the sum of.
        """
        known = self.manifest["graph"]["terms"]
        found = self._answers(table.arrays, [known["output"]], {})[0]
        return found.reshape(table.rows, len(known["columns"]), -1).astype(np.float64, copy=False)

    def _answers(
        self,
        blocks: Sequence[Array],
        names: Sequence[str],
        counted: Mapping[str, Mapping[str, Array]],
        first: int = 0,
        noted: Noted | None = None,
    ) -> list[Array]:
        feeds = {feed.name: feed.gather(blocks) for feed in self.signature.feeds} | self._given
        for steps in self.signature.step_feeds:
            feeds[steps.name] = steps.gather(blocks)
        if ids := self.signature.id_feed:
            feeds[ids.name] = ids.gather(blocks)
        for tokens in self.signature.token_feeds:
            feeds |= counted.get(tokens.name) or tokens.gather(blocks, noted, first)
        for sentences in self.signature.sentence_feeds:
            feeds |= sentences.gather(blocks)
        if self.signature.image_feeds:
            from onnxlet.function.inputs.image_feed import gathered  # the feeds have imported it

            feeds |= gathered(self.signature.image_feeds, blocks, first, noted)
        if self.manifest["task"] == IMPORTED:
            return run_checked(self._session, names, feeds, first, self._shapes)
        return deadline.run(lambda ending: self._session.run(names, feeds, ending))


def load_model(
    directory: Path, threads: int = 1, models_url: str | None = None, lazy: bool = False
) -> Model:
    """Read `models/<name>/<version>/` and make it ready to answer.

    Graphs that are not in their directories are at `models_url`, None is nowhere. A lazy one is
    read and checked when the first request needs it. Raises ModelError where a file is missing,
    altered since the build, or not what ONNX Runtime takes; for a lazy graph when it is needed.
    """
    label = f"{directory.parent.name}/{directory.name}"
    try:
        manifest = json_text.loads(read_file(directory, MANIFEST))
    except MalformedRequest as error:
        why = error.__cause__ or error.message
        message = f"model {label}: manifest.json: expected JSON, got other text: {why}"
        raise ModelError(message, AGAIN) from error
    except OSError as error:  # its words have the whole path, and clients see this
        message = f"model {label}: {MANIFEST}: {error.strerror}"
        hint = way_out(error) if directory.is_dir() else NO_VERSION
        raise ModelError(message, hint) from error
    found = manifest.get("format") if isinstance(manifest, dict) else None
    if found != MANIFEST_FORMAT:
        got = "none" if found is None else f"format {found}"
        other = "It was built by another version of convert; build it again."
        raise ModelError(
            f"model {label}: expected a manifest of format {MANIFEST_FORMAT}, got {got}",
            AGAIN if found is None else other,
        )
    if not directory.name.isdecimal():
        raise ModelError(f"model {label}: expected a whole number as the version", NO_VERSION)
    files = manifest.get("files")
    expected = files.get(GRAPH) if isinstance(files, dict) else None

    def open_graph() -> Any:
        graph = _graph(directory, expected, label, models_url)
        try:
            return sessions.open_graph(graph, threads, directory / GRAPH, str(expected))
        except Exception as error:  # ONNX Runtime's own, of several classes
            raise ModelError(f"model {label}: it does not load: {error}") from error

    try:
        model = Model(directory.parent.name, int(directory.name), manifest, open_graph)
        model.directory = directory
        if not lazy:
            model.open()
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"model {label}: it does not load: {error}") from error
    return model


def _graph(
    directory: Path, expected: str | None, label: str, models_url: str | None
) -> bytes | str:
    """A graph whose hash was checked: its bytes, or the path of the one that was fetched."""
    if models_url and not (directory / GRAPH).exists():
        from onnxlet.function.models.s3_graphs import fetch  # most models are in their directories

        # Its digest in its name: another build of this version does not replace it.
        return str(fetch(models_url, f"{label}/{expected}.onnx", expected))
    try:
        graph = read_file(directory, GRAPH)
    except OSError as error:
        away = " ONNXLET_MODELS_URL says where graphs are that a bundle was made without."
        gone = isinstance(error, FileNotFoundError) and not models_url
        hint = way_out(error) + away * gone
        raise ModelError(f"model {label}: {GRAPH}: {error.strerror}", hint) from error
    check_hash(graph, expected, f"model {label}: {GRAPH}")
    return graph


def as_declared(array: Array, output: Output) -> Array:
    """Whole-number tensors hold bool and float labels; a column of one value per row is flat.

    A missing text is None.
    """
    if array.dtype.char == "O" and output.type != "string":  # rows of different sizes
        flat = Output(output.name, output.type, (-1,))
        return nested.packed([as_declared(row.ravel(), flat).reshape(row.shape) for row in array])
    shaped = array.reshape(output.shape) if output.shape.count(-1) == 1 else array
    if output.type == "string" and (gaps := shaped == MISSING_TEXT).any():
        shaped = shaped.astype(object)
        shaped[gaps] = None
    if output.type == "float64" and shaped.dtype.char == "f":  # float32
        return shaped  # a float64 would be written with digits that nobody computed
    declared = _dtype_of(output.type)
    return shaped if shaped.dtype is declared else shaped.astype(declared, copy=False)


@cache
def _dtype_of(name: str) -> Any:
    return np.dtype(object if name == "string" else name)
