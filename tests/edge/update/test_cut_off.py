"""Updates and rollbacks that are killed anywhere: one whole slot is live, always."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import pytest

from onnxlet.edge.device.slots import DevicePaths, live_slot, switch
from onnxlet.edge.update import confirm, unpack
from onnxlet.edge.update.errors import Refused
from onnxlet.edge.update.health import service_faults
from onnxlet.edge.update.setup import Setup
from onnxlet.edge.update.status import release_of
from onnxlet.edge.update.update import rollback, update
from tests.conftest import ROOT, ran
from tests.edge.service.test_serve import CLEAN
from tests.edge.update.conftest import live_faults

Archives = Callable[[int], Path]
SEED = 4
KILLS = 200, 50  # as a whole; of a share
KILLED = -signal.SIGKILL


def start(how: str, paths: DevicePaths, *command: str) -> subprocess.Popen[bytes]:
    program = [sys.executable, "-m", "tests.edge.update.cut_off", how, *command]
    with said(paths).open("wb") as output:
        return subprocess.Popen(
            [*program, "--root", str(paths.root)],
            cwd=ROOT,
            env=CLEAN,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def said(paths: DevicePaths) -> Path:
    """What the last command said."""
    return paths.root / "said"


def kill(process: subprocess.Popen[bytes], seconds: float) -> int:
    """Let it run for a while, and kill it with all that it has started."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait(60)


def kill_often(times: int, setup: Setup, archives: Archives) -> list[int]:
    """Kill updates, and rollbacks now and then; how many of each were not at their end."""
    paths, chance, killed, number = setup.paths, random.Random(SEED), [0, 0], 2  # noqa: S311 - a test's

    def updated() -> float:
        """Seconds that a whole update takes, at this moment."""
        begun = time.monotonic()
        code = start("whole", paths, "update", str(archives(number))).wait(200)
        assert code == 0, f"seed {SEED}, release {number}: {said(paths).read_text()}"
        return time.monotonic() - begun

    whole = updated()
    for turn in range(times):
        back, number = turn % 4 == 3, number + 1
        if back:
            whole = updated()
        before = release_of(paths.live)
        command = ["rollback"] if back else ["update", str(archives(number))]
        if chance.random() < 0.5:  # at a moment, or at a change to the card
            process = start("whole", paths, *command)
            code = kill(process, chance.uniform(0.25, 0.8 if back else 1.1) * whole)
        else:
            change = chance.randint(1, 14 if back else 350)
            code = start(str(change), paths, *command).wait(200)
        killed[back] += code == KILLED
        assert live_faults(paths) == [], f"turn {turn}, seed {SEED}"
        assert back or release_of(paths.live) in (before, number)
    return killed


@pytest.mark.long
def test_a_few_kills(setup: Setup, archives: Archives) -> None:
    assert sum(kill_often(5, setup, archives)) >= 1
    assert update(setup, str(archives(300))) == ["bundle release 300: taken"]
    assert live_faults(setup.paths) == []


@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_two_hundred_kills(sampled: bool, setup: Setup, archives: Archives) -> None:
    times = KILLS[sampled]
    updates, rollbacks = kill_often(times, setup, archives)
    print(f"killed {updates} updates and {rollbacks} rollbacks")
    assert updates >= 0.4 * times
    assert rollbacks >= 0.06 * times
    assert update(setup, str(archives(500))) == ["bundle release 500: taken"]
    assert live_faults(setup.paths) == []


@pytest.mark.parametrize(("how", "torn"), [("unpacking", False), ("switch-first", True)])
def test_the_order_of_an_update_is_what_keeps_the_slot_whole(
    setup: Setup, archives: Archives, how: str, torn: bool
) -> None:
    """Killed in the middle of a file; where the link is switched first, damage is found."""
    assert start(how, setup.paths, "update", str(archives(2))).wait(200) == KILLED
    assert (live_slot(setup.paths), bool(live_faults(setup.paths))) == (
        "b" if torn else "a",
        torn,
    )


@pytest.mark.parametrize("hurt", ["altered", "away", "golden", "list"])
def test_damage_is_found(paths: DevicePaths, hurt: str) -> None:
    slot = paths.slot("a")
    if hurt == "altered":
        (slot / "onnxlet" / "function" / "app.py").write_bytes(b"pass\n")
    elif hurt == "away":
        (slot / "onnxlet" / "edge" / "service" / "serve.py").unlink()
    elif hurt == "golden":
        (slot / "models" / "iris" / "1" / "golden.json").write_bytes(b"{}")
    else:
        (slot / "bundle.json").write_bytes(b"{")
    assert len(live_faults(paths)) == 1


def test_a_slot_that_is_damaged_is_not_gone_back_to(setup: Setup, archives: Archives) -> None:
    update(setup, str(archives(2)))
    (setup.paths.slot("a") / "onnxlet" / "edge" / "service" / "serve.py").write_text("1 / 0\n")
    with pytest.raises(Refused, match=r"slot a does not answer.*serve\.py: altered or missing"):
        rollback(setup)
    assert (live_slot(setup.paths), live_faults(setup.paths)) == ("b", [])


def cut_off_after_the_switch(setup: Setup, archive: Path) -> None:
    """Take a release, and be killed before the service is asked."""

    def cut_off(*arguments: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(confirm, "confirm_bundle", cut_off)
        with pytest.raises(KeyboardInterrupt):
            update(setup, str(archive))


def only_a(paths: DevicePaths) -> str:
    """A command that restarts nothing, and fails while slot b is live."""
    return f"""sh -c 'test $(readlink "{paths.live}") = a'"""


def test_an_update_cut_off_before_its_confirmation_gets_it(
    setup: Setup, archives: Archives
) -> None:
    """Switched, and killed before the service was asked: the next run asks it."""
    cut_off_after_the_switch(setup, archives(2))
    assert release_of(setup.paths.live) == 2
    reported: list[str] = []
    fails = setup._replace(service=setup.service._replace(restart=only_a(setup.paths)))
    with pytest.raises(Refused, match="it was given up here: sh -c"):
        update(fails._replace(report=reported.append), str(archives(2)))
    assert "bundle release 2 was cut off: proving it now" in reported
    assert release_of(setup.paths.live) == 1

    cut_off_after_the_switch(setup, archives(3))
    assert update(setup, str(archives(3))) == ["nothing newer for this device"]
    assert release_of(setup.paths.live) == 3


@pytest.mark.parametrize("of", ["before", pytest.param("after", marks=pytest.mark.faults)])
def test_an_update_cut_off_is_settled_by_the_previous_slot(
    setup: Setup, archives: Archives, of: str
) -> None:
    """The new one's commands don't start: by its own code it would stay for ever."""
    paths = setup.paths

    cut_off_after_the_switch(setup, archives(2))
    assert (str(paths.back.readlink()), live_slot(paths)) == ("a", "b")
    (paths.slot("b") / "__main__.py").write_text("1 / 0\n")
    restart = only_a(paths).replace('"', r"\"")
    settings = paths.environment.read_text().replace('RESTART="true"', f'RESTART="{restart}"')
    paths.environment.write_text(settings)
    link = paths.back if of == "before" else paths.live
    command = [sys.executable, "-B", str(link), "settle", "--root", str(paths.root)]
    done = ran(command, cwd="/", env=CLEAN)
    assert (live_slot(paths), done.returncode) == (("a", 0) if of == "before" else ("b", 1))
    if of == "before":
        assert "bundle release 2 was cut off: proving it now" in done.stderr
        assert not paths.back.is_symlink()
        with pytest.raises(Refused, match="it was given up here"):
            update(setup, str(archives(2)))


def test_a_process_goes_on_by_its_own_code_when_the_link_is_switched(
    supervise: Callable[..., Setup], paths: DevicePaths, tmp_path: Path
) -> None:
    """What it imports only then is in the slot that it was started from, and in no other."""
    variables = {"URL": "http://127.0.0.1:1/", "SECONDS": "900"}
    environ = {f"ONNXLET_DEVICE_FORWARD_{name}": value for name, value in variables.items()}
    setup = supervise(ONNXLET_DEVICE_QUEUE=str(tmp_path / "queue.db"), **environ)
    assert service_faults(setup.service, {}) == []
    paths.slot("b").mkdir()
    switch(paths, "b")
    with urlopen(f"{setup.service.url}/metrics", timeout=10) as answer:  # noqa: S310 - http
        assert b"onnxlet_forward_keeping" in answer.read()


class Card:
    """What a power cut would leave: it knows which files and folders have been synced.

    Attributes:
        torn: what was put in its place before it was on the card.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.torn: list[str] = []
        self._synced: set[int] = set()
        fsync, rename = os.fsync, os.rename

        def watched_fsync(opened: int) -> None:
            fsync(opened)
            self._synced.add(os.fstat(opened).st_ino)

        def watched_rename(source: Path, target: Path) -> None:
            if Path(target).name in ("a", "b", "2"):
                every = [Path(source), *Path(source).rglob("*")]
                self.torn += [str(p) for p in every if p.stat().st_ino not in self._synced]
            rename(source, target)

        monkeypatch.setattr(os, "fsync", watched_fsync)
        monkeypatch.setattr(os, "rename", watched_rename)


def test_everything_is_on_the_disk_before_it_is_moved_into_the_slot(
    setup: Setup, archives: Archives, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = Card(monkeypatch)
    assert update(setup, str(archives(2))) == ["bundle release 2: taken"]
    assert card.torn == []

    monkeypatch.setattr(unpack, "sync_tree", lambda folder: None)
    assert update(setup, str(archives(3))) == ["bundle release 3: taken"]
    assert len(card.torn) > 100, "without it, the same test finds damage"
