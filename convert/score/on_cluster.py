"""Parts done by the workers of a Dask cluster, each with the model sent to it once."""

from __future__ import annotations

import hashlib
import io
import pickle
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from onnxlet.convert.errors import Refusal, shortened
from onnxlet.convert.score.errors import PartFailed
from onnxlet.convert.score.journal import JOURNAL
from onnxlet.convert.score.part import FEWER, Line, outcome_of
from onnxlet.convert.score.storage import read, storage_of
from onnxlet.convert.score.tasks import ScoreTask
from onnxlet.convert.workers.cluster import Cluster, connected
from onnxlet.convert.workers.contract import Do, Result, Tick, Work
from onnxlet.function import json_text
from onnxlet.function.errors import OnnxletError, WrongUse
from onnxlet.function.model_files import read_file
from onnxlet.function.models.model import GRAPH, Model, load_model
from onnxlet.function.protocols import native
from onnxlet.function.serving.predict import predict

PACKAGES = ("numpy", "onnxruntime", "orjson", "pillow", "pyarrow")  # what answers depend on
MANIFEST, GOLDEN = "manifest.json", "golden.json"
PROOF = "proof"  # in what is sent: SHA-256 of the answers to the golden rows
BEGIN = f"{__name__}:begin"
SHARED = "Give IN and OUT in a folder that every worker has under the same path, or in S3."


class Unequal(Exception):
    """A worker would answer otherwise, or sees other files, than the client."""


def on_cluster(address: str, tasks: Sequence[ScoreTask], tick: Tick) -> Iterator[Line | PartFailed]:
    """An engine: the workers of the scheduler at an address.

    They read and write themselves: nothing but a line of the journal comes back for a part.

    Raises:
        WrongUse: nothing answers there as a scheduler does, or the workers see other files.
        Refusal: it has no worker, or one that would answer otherwise.
        SchedulerGone: it can't be reached any more.
    """
    first = tasks[0]
    content = _packed(Path(first.model), first.graph)
    with connected(address, PACKAGES) as client:
        carrier = Cluster(client, BEGIN, content, (first, _head(first.target)))
        for result in carrier.run(Work(task, pickle.dumps(task)) for task in tasks):
            outcome = _outcome(result)
            if not isinstance(outcome, PartFailed):
                tick(outcome["rows"])
            yield outcome


def _outcome(result: Result[ScoreTask]) -> Line | PartFailed:
    from distributed import KilledWorker

    task, error = result.label, result.error
    if error is None:
        outcome: Line | PartFailed = result.value
        return outcome
    if isinstance(error, Unequal):
        raise WrongUse(f"--scheduler: {error}", SHARED)
    if isinstance(error, KilledWorker):
        message = f"'{task.file}', part '{task.name}': the workers that did it died, one by one"
        return PartFailed(message, f"Was there too little memory? {FEWER}")
    why = f"{type(error).__name__}: {shortened(error)}"
    return PartFailed(f"'{task.file}', part '{task.name}': its worker failed: {why}")


def _head(target: str) -> str:
    """SHA-256 of the first line of a journal; empty where there is none."""
    with suppress(OSError, WrongUse):
        return hashlib.sha256(read(storage_of(target), JOURNAL).partition(b"\n")[0]).hexdigest()
    return ""


def _packed(directory: Path, graph: str) -> bytes:
    """A version's files and the proof of its answers, as they are sent.

    Raises ModelError where a file is missing or altered.
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


def begin(content: bytes, common: tuple[ScoreTask, str]) -> Do:
    """What a worker does, once it sees what the client sees: parts, by the model that was sent.

    Raises:
        Unequal: it sees other files than the client.
        Refusal: the model answers otherwise here than at the client's.
    """
    _check(*common)
    folder = tempfile.TemporaryDirectory(prefix="onnxlet-")  # ends with what this returns
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(folder.name)  # the client's, as all that Dask does
    [manifest] = Path(folder.name).glob(f"*/*/{MANIFEST}")
    model = load_model(manifest.parent)
    if proof_of(model, manifest.parent) != Path(folder.name, PROOF).read_text():
        raise Refusal(
            f"--scheduler: {_whose()} answers the golden rows with other last digits than the "
            "client",
            "Have processors of one kind, with the same packages, in the cluster.",
        )

    def answer(argument: bytes, tick: Tick, _: object = folder) -> Line | PartFailed:
        return outcome_of(pickle.loads(argument), lambda: model, tick)  # noqa: S301 - the client's

    return answer


def _check(task: ScoreTask, head: str) -> None:
    """See that this worker sees what the client sees: the file of a part, and the journal's head.

    Raises:
        Unequal: it does not.
    """
    entry = None
    with suppress(OSError):
        entry = storage_of(task.source).entry(task.file)
    if entry is None or (entry.size, entry.changed) != (task.size, task.changed):
        file = f"{task.source}/{task.file}"
        raise Unequal(f"{_whose()} sees no '{file}', or another one than the client")
    if _head(task.target) != head:
        raise Unequal(f"{_whose()} sees another folder '{task.target}' than the client, or none")


def _whose() -> str:
    from distributed import get_worker

    return f"worker {get_worker().address}"
