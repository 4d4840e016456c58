"""Run one example, and judge what it has fitted: `one_example EXAMPLE RESULTS SECONDS`.

Each model is judged in a fork of this process, which has the example's own classes and functions.
"""

from __future__ import annotations

import os
import resource
import runpy
import signal
import sys
import traceback
import warnings
from contextlib import redirect_stdout, suppress
from io import StringIO
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tools.evaluation.harvest.catching import Catcher

SECONDS = 60  # of a processor that a model has
PATIENCE = 300.0  # seconds by the clock, where many share it


class TooLong(BaseException):
    """The example runs on; what it has fitted so far is judged."""


def main(example: Path, results: Path, seconds: int) -> None:
    """Write a line for each model; and one without a model where the example ended early."""
    catcher = Catcher()
    catcher.install()
    ended = _run(example, seconds)
    with results.open("w") as file:
        if ended:
            print(_line(example, "", "example", ended), file=file)
        for caught in catcher.caught:
            print(_forked(caught, example), file=file, flush=True)


def _run(example: Path, seconds: int) -> str:
    """Run the script without figures and network; why it did not run to its end, or ''."""
    from joblib import parallel_config

    from tools.evaluation.harvest.made_data import NoData, install

    install()
    warnings.simplefilter("ignore")
    parallel_config("sequential")

    def stop(*_: Any) -> None:
        raise TooLong

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    os.chdir(example.parent)
    sys.argv[:] = [str(example)]
    try:
        with redirect_stdout(StringIO()):
            runpy.run_path(str(example), run_name="__main__")
    except TooLong:
        return f"ran longer than {seconds} s"
    except NoData as error:
        return f"no data: {error}"
    except BaseException:  # whatever an example raises is its own
        return traceback.format_exc(limit=-1).splitlines()[-1][:300]
    finally:
        signal.alarm(0)
    return ""


def _forked(caught: Any, example: Path) -> str:
    """The line of a model, which is judged in a process of its own."""
    context = get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=_judge, args=(caught, example, sending))
    child.start()
    sending.close()
    said = ""
    with suppress(EOFError):  # it has ended without a word
        said = receiving.recv() if receiving.poll(PATIENCE) else ""
    child.kill()
    child.join()
    if said:
        return said
    if child.exitcode in (-signal.SIGXCPU, -signal.SIGKILL):
        return _line(example, caught.shown, "not built in time", "")
    return _line(example, caught.shown, "traceback", f"the process ended: {child.exitcode}")


def _judge(caught: Any, example: Path, sending: Any) -> None:
    from tools.evaluation.harvest.judging import judged

    spent = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    resource.setrlimit(resource.RLIMIT_CPU, (int(spent) + SECONDS, int(spent) + SECONDS + 5))
    sending.send(judged(caught, _name(example)).json())


def _line(example: Path, shown: str, result: Any, detail: str) -> str:
    from tools.evaluation.harvest.judging import Judged

    return Judged(_name(example), shown, result, detail).json()


def _name(example: Path) -> str:
    return f"{example.parent.name}/{example.stem.removeprefix('plot_')}"


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve(), int(sys.argv[3]))
