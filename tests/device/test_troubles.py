"""A device that meets its limits, under real systemd."""

from __future__ import annotations

import gzip
import json
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.device.machine import Machine
from tests.device.test_life import BACK_SECONDS, answers, installed, seconds_until_back
from tests.edge.faults.memory import limit

__all__ = ["installed"]
pytestmark = pytest.mark.device

SPARE = 4 << 20  # bytes beyond what it takes
# 8 MB, as many as a device unpacks, in rows that are too long.
NUMBERS = gzip.compress(json.dumps({"instances": [[1.5] * 800] * 2000}).encode())
SEND = """
import sys, urllib.request
body = open("/srv/numbers.gz", "rb").read()
headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
ask = urllib.request.Request("http://127.0.0.1:8080/models/iris/predict", body, headers)
try:
    urllib.request.urlopen(ask, timeout=60)
except OSError as error:
    print(getattr(error, "code", error))
"""


@pytest.mark.parametrize("limited", [True, False])
def test_a_service_that_reaches_its_memory_limit_is_replaced(
    installed: Machine, shared: Path, limited: bool
) -> None:
    """The unit's own where this kernel gives it to systemd; else one put around the process."""
    shown = installed.run("systemctl", "show", "onnxlet", "-p", "MemoryMax", "--value")
    assert shown.strip().isdecimal(), "the unit has a limit"
    (shared / "numbers.gz").write_bytes(NUMBERS)
    before = installed.main_pid()
    here = installed.pid_here(before)
    with ExitStack() as stack:
        if limited and "memory" in installed.run("cat", "/sys/fs/cgroup/cgroup.controllers"):
            most = f"MemoryMax={resident(here) + SPARE}"
            installed.run(
                "systemctl", "set-property", "--runtime", "onnxlet", most, "MemoryHigh=infinity"
            )
        elif limited:
            stack.enter_context(limit(SPARE)).put(here)  # what it has already does not count
        said = installed.run("python3", "-c", SEND).strip()
        start = time.monotonic()
        assert seconds_until_back(installed) < BACK_SECONDS
        print(f"memory: {said}; answers again after {time.monotonic() - start:.1f} s")
        after = installed.main_pid()
    installed.run("systemctl", "revert", "onnxlet")
    assert (said == "422", after == before) == (not limited, not limited)
    assert answers(installed)


def resident(process: int) -> int:
    """Bytes that a process has in memory."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * 4096


BROKEN = "import sys\nsys.exit('this release is no good')\n"


@pytest.mark.parametrize("judged", [True, False])
def test_a_release_that_was_cut_off_and_is_no_good_is_gone_back_from_by_the_one_before(
    installed: Machine, judged: bool
) -> None:
    """Neither its service nor its `update` starts. Without the link to the one before it stays."""
    attempt = {"kind": "bundle", "release": 2, "tries": 1, "back": "a", "models": None}
    memory = {"format": 1, "highest": {"bundle": 1}, "broken": {}, "attempt": attempt}
    data = "/var/lib/onnxlet"
    installed.run("cp", "-a", f"{data}/a", f"{data}/b")
    installed.write(f"{data}/b/__main__.py", BROKEN)
    installed.write(f"{data}/updates.json", json.dumps(memory))
    for link, slot in (("live", "b"), ("back", "a"))[: 1 + judged]:
        installed.run("ln", "-sfn", slot, f"{data}/{link}")
    installed.power_off()
    installed.boot()

    back = seconds_until_back(installed, BACK_SECONDS if judged else 8)
    log = installed.run("journalctl", "--namespace=onnxlet", "-n", "30", "-o", "cat")
    assert "this release is no good" in log
    assert installed.run("readlink", f"{data}/live") == ("a\n" if judged else "b\n"), log
    assert (back < BACK_SECONDS) if judged else (back == 8)
    if judged:
        reported = json.loads(installed.run("onnxlet", "status", "--json"))
        assert (list(reported["broken"]["bundle"]), reported["attempt"]) == (["2"], None)
        assert installed.call("readlink", f"{data}/back").returncode
