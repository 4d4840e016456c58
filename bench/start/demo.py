"""From the wheel's file to the first answer of `onnxlet demo`, in an environment that is new."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench.environments import ROOT
from bench.models import Fitted
from bench.report import Line, comparisons

BUDGET_S = 60.0
TIMES = 3
ADDRESS = re.compile(r"http://\S+?:\d+")
ABOUT = """As the README has it without a clone, {times} times: `python -m venv`,
`pip install --no-compile` of the wheel with its extras [convert,edge] by an empty cache, and
`onnxlet demo` until a golden row is answered over a socket. Medians; how long the installation
takes depends on the network. Without `--no-compile` pip compiles all that it installs.

"""


class Took(NamedTuple):
    """Seconds of one time."""

    installing: float
    answering: float

    @property
    def whole(self) -> float:
        """From the wheel's file to the answer."""
        return sum(self)


def first_answer(wheel: Path) -> Took:
    """Install a wheel into a new environment, and have its demo answer."""
    with tempfile.TemporaryDirectory() as place:
        programs, home = Path(place, "env", "bin"), Path(place, "home")
        environ = {**os.environ, "HOME": str(home), "PIP_CACHE_DIR": str(home / "pip")}
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-m", "venv", programs.parent], check=True)
        pip = [str(programs / "python"), "-m", "pip"]
        asked = f"{wheel}[convert,edge]"
        install = [*pip, "install", "--quiet", "--no-compile", asked]
        subprocess.run(install, check=True, env=environ)
        installed = time.perf_counter()
        command = [str(programs / "onnxlet"), "demo", "--port", "0"]
        with subprocess.Popen(
            command, cwd=place, env=environ, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        ) as server:  # fmt: skip
            try:
                found = (ADDRESS.search(line) for line in server.stdout or ())
                url = next(each.group() for each in found if each)
                _ask(url, Path(place, "models"))
                answered = time.perf_counter()
            finally:
                server.terminate()
        return Took(installed - begun, answered - installed)


def _ask(url: str, models: Path) -> None:
    golden = json.loads((models / "house-prices" / "1" / "golden.json").read_bytes())
    body = json.dumps({"instances": golden["instances"][:1]}).encode()
    asked = urllib.request.Request(  # noqa: S310 - our own server
        f"{url}/models/house-prices/predict", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(asked, timeout=30) as reply:  # noqa: S310 - our own server
        answer = json.load(reply)["prediction"]
    assert len(answer) == 1, "no answer to one row"


def section(_models: Path, _fitted: Fitted) -> str:
    """The table."""
    make = ["make", "--no-print-directory", "dist"]
    subprocess.run(make, cwd=ROOT, check=True)
    [wheel] = (ROOT / "dist").glob("*.whl")
    took = [first_answer(wheel) for _ in range(TIMES)]
    whole = median(each.whole for each in took)
    installing, answering = (median(each[at] for each in took) for at in (0, 1))
    lines = [
        Line(
            "from the wheel to the first answer, against the budget",
            f"{whole:.1f} s", f"{BUDGET_S:.0f} s", whole / BUDGET_S, 1,
        ),
        Line(
            "of that the demo: build, proof, start; installing",
            f"{answering:.1f} s", f"{installing:.1f} s", answering / installing,
        ),
    ]  # fmt: skip
    return ABOUT.format(times=TIMES) + comparisons("compared with", lines)
