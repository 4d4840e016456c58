"""Installing and taking away by hand, while an update runs or has not proven itself."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from onnxlet.edge.device.slots import Places, live_slot, switch
from onnxlet.edge.install import from_zip
from onnxlet.edge.install.install import Setup, install
from onnxlet.edge.install.uninstall import uninstall
from onnxlet.edge.update.errors import Failed, Refused
from onnxlet.edge.update.lock import LOCK, locked
from onnxlet.edge.update.memory import Attempt, Memory, is_switched, read_memory, write_memory
from onnxlet.edge.update.status import release_of
from tests.conftest import ROOT, quiet
from tests.edge.update.conftest import tree

RUNS = "another update is running, or an installation"
UNPROVEN = Memory({"bundle": 1}, {"bundle": {3: "why"}}, Attempt("bundle", 2, 1, "a"))


Archives = Callable[[int], Path]


@pytest.fixture
def unproven(places: Places, archives: Archives) -> Places:
    """A device whose release 2 is live in slot b, and has not proven itself."""
    with zipfile.ZipFile(archives(2)) as bundle:
        bundle.extractall(places.slot("b"))
    switch(places, "b")
    write_memory(places, UNPROVEN)
    return places


def zip_command(archive: Path, root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-S", str(archive), "install", "--root", str(root)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd="/",
        env={"PATH": os.environ["PATH"]},
    )


@pytest.fixture
def held(places: Places) -> Iterator[None]:
    """Another process changes something."""
    program = "import fcntl, sys; lock = open(sys.argv[1], 'w'); fcntl.flock(lock, fcntl.LOCK_EX); "
    program += "print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(places.data / LOCK)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"
        yield
        other.communicate()


def made_of(places: Places, slot: str = "a") -> Setup:
    """What is installed there; systemd is not asked."""
    return Setup(places, places.slot(slot), lambda command: "", quiet)


@pytest.mark.usefixtures("held")
def test_while_an_update_runs_a_zip_fills_no_slot(places: Places, archives: Archives) -> None:
    before = tree(places.root)
    done = zip_command(archives(2), places.root)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: {RUNS}\nhint: Wait for its end.\n"
    assert tree(places.root) == before


@pytest.mark.usefixtures("held")
def test_while_an_update_runs_nothing_is_taken_away(places: Places) -> None:
    before = tree(places.root)
    for purge in (False, True):
        with pytest.raises(Failed, match=RUNS):
            uninstall(made_of(places), purge)
    assert tree(places.root) == before


def test_a_zip_leaves_the_slot_that_may_have_to_be_gone_back_to(
    unproven: Places, archives: Archives
) -> None:
    before = tree(unproven.root)
    done = zip_command(archives(3), unproven.root)
    assert (done.returncode, done.stdout) == (1, "")
    assert "release 2 is live and has not proven itself yet" in done.stderr
    assert "hint: Have it judged: sudo systemctl start onnxlet-settle." in done.stderr
    assert tree(unproven.root) == before


def test_so_does_a_slot_that_installs_itself(unproven: Places) -> None:
    with pytest.raises(Refused, match="release 2 is live and has not proven itself yet"):
        install(made_of(unproven, "a"), [])
    assert live_slot(unproven) == "b"
    install(made_of(unproven, "b"), [])  # the same again, as after a change to its settings
    assert (live_slot(unproven), read_memory(unproven)) == ("b", UNPROVEN)


def test_a_zip_holds_the_lock_until_its_slot_goes_on(
    places: Places, archives: Archives, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And an attempt that had not switched yet is not taken for one that had."""
    write_memory(places, Memory(attempt=Attempt("bundle", 2, 3, "a")))
    became: list[list[str]] = []

    def become(path: str, command: list[str]) -> None:
        became.append(command)
        assert os.get_inheritable(int(command[-1]))
        with pytest.raises(Failed, match=RUNS), locked(places):
            pass
        with locked(places, os.dup(int(command[-1]))):  # as what it becomes does
            pass

    monkeypatch.setattr(os, "execv", become)
    from_zip.main(archives(3), ["install", "--root", str(places.root)])

    [command] = became
    assert command[4:9] == [str(places.slot("b")), "install", "--root", str(places.root), "--lock"]
    assert release_of(places.slot("b")) == 3
    switch(places, "b")
    attempt = read_memory(places).under_way
    assert (attempt.tries, is_switched(places, attempt)) == (3, False)
    with locked(places):
        pass


def test_what_had_not_proven_itself_goes_when_it_is_taken_away(places: Places) -> None:
    """Else it would be judged, and gone back from, once another bundle is installed."""
    for version in ("1", "2"):
        (places.models / "iris" / version).mkdir(parents=True)
    (places.data / "download").mkdir()
    (places.data / ".incoming").mkdir()
    attempt = Attempt("models", 4, 1, models={"iris": 2})
    write_memory(places, Memory({"models": 3}, {}, attempt))
    uninstall(made_of(places), purge=False)

    assert read_memory(places) == Memory({"models": 3})
    assert [path.name for path in (places.models / "iris").iterdir()] == ["1"]
    assert sorted(path.name for path in places.data.iterdir()) == [LOCK, "models", "updates.json"]
    uninstall(made_of(places), purge=True)
    assert not places.data.exists()
    uninstall(made_of(places), purge=True)


def test_without_a_slot_that_is_live_nothing_has_to_be_gone_back_to(places: Places) -> None:
    """A device that was taken away while an update was open, by the code before."""
    places.live.unlink()
    assert not is_switched(places, UNPROVEN.under_way)


def test_who_may_not_write_there_is_told_so(places: Places) -> None:
    """As another user than root."""
    places.root.chmod(0o755)
    (places.data / LOCK).touch(0o600)
    program = (
        "import os, sys; from pathlib import Path; from onnxlet.edge.device.slots import Places; "
    )
    program += "from onnxlet.edge.update.lock import locked\nos.setuid(65534)\n"
    program += "try:\n with locked(Places(Path(sys.argv[1]))): pass\n"
    program += "except Exception as error: print(error)"
    if os.geteuid() != 0:
        pytest.skip("needs root")
    done = subprocess.run(
        [sys.executable, "-c", program, str(places.root)], capture_output=True, text=True, cwd=ROOT
    )
    assert done.stdout.endswith("Permission denied\nPut sudo before it.\n"), done.stderr
