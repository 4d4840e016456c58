"""Parts done by the workers of a Dask cluster, each with the model sent to it once."""

from __future__ import annotations

import hashlib
import io
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from onnxlet.convert.cluster.connecting import connected
from onnxlet.convert.cluster.sent import Sent, still_wanted
from onnxlet.convert.cluster.tasks import Tasks
from onnxlet.convert.errors import Refusal, shortened
from onnxlet.convert.score.errors import PartFailed, outcome_of
from onnxlet.convert.score.journal import JOURNAL
from onnxlet.convert.score.places import place_of, read
from onnxlet.convert.score.processes import Line, Tick
from onnxlet.convert.score.tasks import Task
from onnxlet.convert.score.worker import FEWER, plain, said_of, task_of
from onnxlet.function import json_text
from onnxlet.function.errors import OnnxletError, WrongUse
from onnxlet.function.model_files import read_file
from onnxlet.function.models.model import GRAPH, Model, load_model
from onnxlet.function.protocols import native
from onnxlet.function.serving.predict import predict

PACKAGES = ("numpy", "onnxruntime", "orjson", "pillow", "pyarrow")  # what answers depend on
MANIFEST, GOLDEN = "manifest.json", "golden.json"
PROOF = "proof"  # in what is sent: SHA-256 of the answers to the golden rows
SHARED = "Give IN and OUT in a folder that every worker has under the same path, or in S3."


class Unwanted(Exception):
    """Nobody waits for this part any more."""


class Unequal(Exception):
    """A worker would answer otherwise, or sees other files, than the client."""


@dataclass(frozen=True)
class OnCluster:
    """Does parts on the workers of a scheduler.

    They read and write themselves: nothing but a line of the journal comes back for a part.

    Attributes:
        address: of the scheduler.
    """

    address: str

    def outcomes(self, tasks: Sequence[Task], tick: Tick) -> Iterator[Line | PartFailed]:
        """Do parts, and give what each came to as soon as it has ended, in no order.

        Raises:
            WrongUse: nothing answers there as a scheduler does, or the workers see other files.
            Refusal: it has no worker, or one that would answer otherwise.
            SchedulerGone: it can't be reached any more.
        """
        first = tasks[0]
        content = _packed(Path(first.model), first.graph)
        with connected(self.address, PACKAGES) as client:
            parts = Tasks(client, f"{__name__}:part", content, seen_of(first))
            for came in parts.run((task, plain(task)) for task in tasks):
                outcome = _outcome(came.label, came.result, came.error)
                if not isinstance(outcome, PartFailed):
                    tick(outcome["rows"])
                yield outcome


def _outcome(task: Task, said: Any, error: BaseException | None) -> Line | PartFailed:
    from distributed import KilledWorker

    if isinstance(error, Unequal):
        raise WrongUse(f"--scheduler: {error}", SHARED)
    if isinstance(error, KilledWorker):
        message = f"'{task.file}', part '{task.name}': the workers that did it died, one by one"
        return PartFailed(message, f"Was there too little memory? {FEWER}")
    if error is not None:
        why = f"{type(error).__name__}: {shortened(error)}"
        return PartFailed(f"'{task.file}', part '{task.name}': its worker failed: {why}")
    return outcome_of(said)


class Seen(NamedTuple):
    """What every worker has to see as the client does.

    Attributes:
        source: the place that is read.
        file: below it, with its `size` in bytes and its time `changed` in nanoseconds.
        target: the place that is written.
        head: SHA-256 of the first line of its journal.
    """

    source: str
    file: str
    size: int
    changed: int
    target: str
    head: str


def seen_of(task: Task) -> Seen:
    """What a worker has to see to do parts like this one."""
    return Seen(task.source, task.file, task.size, task.changed, task.target, _head(task.target))


def _head(target: str) -> str:
    """SHA-256 of the first line of a journal; empty where there is none."""
    with suppress(OSError, WrongUse):
        return hashlib.sha256(read(place_of(target), JOURNAL).partition(b"\n")[0]).hexdigest()
    return ""


def _packed(directory: Path, graph: str) -> bytes:
    """A version's files and the proof of its answers, as they are sent.

    Raises:
        ModelError: a file is missing or altered.
    """
    model = load_model(directory)
    names = [MANIFEST, *model.manifest["files"]]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name in names:
            path = f"{model.name}/{model.version}/{name}"
            archive.writestr(zipfile.ZipInfo(path), read_file(directory, name))
        archive.writestr(zipfile.ZipInfo(PROOF), proof_of(model, directory))
    if model.manifest["files"][GRAPH] != graph:
        raise OnnxletError(f"model {directory}: its graph is another one now", "Score again.")
    return packed.getvalue()


def proof_of(model: Model, directory: Path) -> str:
    """SHA-256 of the answers to a version's golden rows: equal where they are, to the last bit."""
    golden = json_text.loads(read_file(directory, GOLDEN))
    if not golden["instances"]:
        return ""
    request = native.from_object({"instances": golden["instances"]})
    return hashlib.sha256(native.encode(predict(model, request), request).body).hexdigest()


class Loaded:
    """What a worker makes of the files that it was sent.

    Args:
        content: as `_packed` made it.

    Raises:
        Refusal: the model answers otherwise here than at the client's.
    """

    def __init__(self, content: bytes) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="onnxlet-")  # ends with this
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            archive.extractall(self._folder.name)  # the client's, as all that Dask does
        [manifest] = Path(self._folder.name).glob(f"*/*/{MANIFEST}")
        self.model = load_model(manifest.parent)
        if proof_of(self.model, manifest.parent) != Path(self._folder.name, PROOF).read_text():
            raise Refusal(
                f"--scheduler: {_whose()} answers the golden rows with other last digits than the "
                "client",
                "Have processors of one kind, with the same packages, in the cluster.",
            )
        self._alike: set[Seen] = set()

    def check(self, seen: Seen) -> None:
        """See that this worker sees what the client sees.

        Raises:
            Unequal: it does not.
        """
        if seen in self._alike:
            return
        entry = None
        with suppress(OSError):
            entry = place_of(seen.source).entry(seen.file)
        if entry is None or (entry.size, entry.changed) != (seen.size, seen.changed):
            file = f"{seen.source}/{seen.file}"
            raise Unequal(f"{_whose()} sees no '{file}', or another one than the client")
        if _head(seen.target) != seen.head:
            raise Unequal(
                f"{_whose()} sees another folder '{seen.target}' than the client, or none"
            )
        self._alike.add(seen)


def part(sent: Sent, seen: Seen, given: Mapping[str, Any]) -> dict[str, Any]:
    """Do one part on a worker, all of it or nothing.

    Args:
        sent: the model's files.
        seen: what this worker has to see.
        given: the part, as `plain` makes it.

    Returns:
        Its line in the journal as `done`, or why there is none as `failed`.

    Raises:
        Unwanted: nobody waits for it any more; nothing of it is left.
        Unequal: this worker sees other files than the client.
        Refusal: it would answer otherwise.
    """
    loaded: Loaded = sent.made(Loaded)
    loaded.check(seen)
    return said_of(task_of(given), lambda: loaded.model, _check_wanted)


def _check_wanted(rows: int) -> None:
    if not still_wanted():
        raise Unwanted


def _whose() -> str:
    from distributed import get_worker

    return f"worker {get_worker().address}"
