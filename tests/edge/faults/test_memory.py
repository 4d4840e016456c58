"""A release whose proof takes more memory than there is; the kernel itself ends it."""

from __future__ import annotations

import sys
from contextlib import nullcontext

import pytest

from onnxlet.edge.device.slots import live_slot
from onnxlet.edge.update.history import MOST_ATTEMPTS, read_history
from onnxlet.edge.update.setup import Setup
from tests.conftest import ran
from tests.edge.faults.memory import limit
from tests.edge.service.test_serve import CLEAN
from tests.edge.update.conftest import Maker, amend, as_bytes, live_faults

MB = 1 << 20


@pytest.mark.faults
@pytest.mark.parametrize("most", [250 * MB, 0])
def test_a_check_that_takes_too_much_memory_is_killed_and_reported(
    setup: Setup, maker: Maker, most: int
) -> None:
    """Without a limit it is taken. With it what serves serves, and it is not tried for ever."""
    files = maker.files(7)
    check = as_bytes(files["onnxlet/edge/update/health.py"]) + b"\n\nHUGE = b'x' * (400 << 20)\n"
    amend(files, "onnxlet/edge/update/health.py", check)
    archive = maker.sign(maker.write(files, "7.zip"), 7)
    command = [sys.executable, "-m", "edge", "update", str(archive)]
    command += ["--root", str(setup.paths.root)]
    with limit(most) if most else nullcontext() as held:
        ends = [
            ran(held.around(command) if held else command, env=CLEAN, timeout=120)
            for _ in range(MOST_ATTEMPTS + 1 if held else 1)
        ]  # fmt: skip
    if not held:
        assert (ends[0].returncode, live_slot(setup.paths)) == (0, "b"), ends[0].stderr
        return
    assert [done.returncode for done in ends] == [1] * (MOST_ATTEMPTS + 1)
    assert "something killed it, the system where memory is short" in ends[0].stderr
    assert "hint: See dmesg. What serves is as it was; try again then." in ends[0].stderr
    assert "it was given up here: it was cut off 5 times" in ends[-1].stderr
    assert "Traceback" not in "".join(done.stderr for done in ends)
    assert (live_slot(setup.paths), live_faults(setup.paths)) == ("a", [])
    assert 7 in read_history(setup.paths).broken["bundle"]
