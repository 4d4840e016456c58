"""What does the parts of a table on this machine: one process after another part, or several."""

from __future__ import annotations

import pickle
import signal
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from onnxlet.convert.score.errors import PartFailed
from onnxlet.convert.score.part import FEWER, Line, do, model_of
from onnxlet.convert.score.tasks import ScoreTask
from onnxlet.convert.workers.contract import ProcessEnded, Result, Tick, Work, cores
from onnxlet.convert.workers.processes import FreshProcess, Processes

BEGIN = "onnxlet.convert.score.part:begin"
TRIES = 2  # of a part whose process is ended, such as for its memory


# Does parts, somewhere, and gives what each came to as soon as it has ended, in no order. Whoever
# stops asking, or raises, stops those that run; nothing of them is left. The `Tick` is called with
# how many further rows are answered.
Engine = Callable[[Sequence[ScoreTask], Tick], Iterator[Line | PartFailed]]


def here(tasks: Sequence[ScoreTask], tick: Tick) -> Iterator[Line | PartFailed]:
    """An engine: this process does one part after another."""
    for task in tasks:
        try:
            yield do(task, model_of(task.model, task.graph), tick)
        except PartFailed as error:
            yield error


def on_processes(count: int, tasks: Sequence[ScoreTask], tick: Tick) -> Iterator[Line | PartFailed]:
    """An engine of so many processes, each with the model loaded once."""
    works = (Work(task, pickle.dumps(task)) for task in tasks)
    with Processes(partial(FreshProcess, BEGIN, b""), count, TRIES) as carrier:
        for result in carrier.run(works, lambda rows: tick(rows) if rows else None):
            yield _outcome(result)


def _outcome(result: Result[ScoreTask]) -> Line | PartFailed:
    error, task = result.error, result.label
    if error is None:
        outcome: Line | PartFailed = result.value
        return outcome
    code = error.code if isinstance(error, ProcessEnded) else None
    if code is None:
        return PartFailed(f"'{task.file}', part '{task.name}': {error}")
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return PartFailed(
        f"'{task.file}', part '{task.name}': its process ended twice ({how})",
        f"Was there too little memory? {FEWER}" * (code == -signal.SIGKILL),
    )


def engine_of(workers: int, tasks: int) -> Engine:
    """What does so many tasks on this machine, by so many workers; 0 is one for each core."""
    count = min(workers or cores(), tasks)
    return partial(on_processes, count) if count > 1 else here
