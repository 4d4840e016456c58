"""Installing and taking away by hand, while an update runs or has not proven itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from onnxlet.edge.device.slots import DevicePaths, live_slot, switch
from onnxlet.edge.install import from_zip
from onnxlet.edge.install.install import Installation, install, uninstall
from onnxlet.edge.update.errors import Failed, Refused
from onnxlet.edge.update.history import (
    LOCK,
    Attempt,
    History,
    is_switched,
    locked,
    read_history,
    write_history,
)
from onnxlet.edge.update.status import release_of
from tests.conftest import hear_ctrl_c, quiet, ran
from tests.edge.update.conftest import tree

RUNS = "another update is running, or an installation"
UNPROVEN = History({"bundle": 1}, {"bundle": {3: "why"}}, Attempt("bundle", 2, 1, "a"))


Archives = Callable[[int], Path]


@pytest.fixture
def unproven(paths: DevicePaths, archives: Archives) -> DevicePaths:
    """A device whose release 2 is live in slot b, and has not proven itself."""
    with zipfile.ZipFile(archives(2)) as bundle:
        bundle.extractall(paths.slot("b"))
    switch(paths, "b")
    write_history(paths, UNPROVEN)
    return paths


def zip_command(archive: Path, root: Path) -> subprocess.CompletedProcess[str]:
    return ran(
        [sys.executable, "-I", "-S", str(archive), "install", "--root", str(root)],
        cwd="/",
        env={"PATH": os.environ["PATH"]},
    )


@pytest.fixture
def held(paths: DevicePaths) -> Iterator[None]:
    """Another process changes something."""
    program = "import fcntl, sys; lock = open(sys.argv[1], 'w'); fcntl.flock(lock, fcntl.LOCK_EX); "
    program += "print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(paths.data / LOCK)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"
        yield
        other.communicate()


def made_of(paths: DevicePaths, slot: str = "a") -> Installation:
    """What is installed there; systemd is not asked."""
    return Installation(paths, paths.slot(slot), lambda command: "", quiet)


@pytest.mark.usefixtures("held")
def test_while_an_update_runs_a_zip_fills_no_slot(paths: DevicePaths, archives: Archives) -> None:
    before = tree(paths.root)
    done = zip_command(archives(2), paths.root)
    assert (done.returncode, done.stdout) == (1, "")
    hint = "Wait for its end; of one cut off: sudo systemctl start onnxlet-settle"
    assert done.stderr == f"error: {RUNS}\nhint: {hint}\n"
    assert tree(paths.root) == before


@pytest.mark.usefixtures("held")
def test_while_an_update_runs_nothing_is_removed(paths: DevicePaths) -> None:
    before = tree(paths.root)
    for purge in (False, True):
        with pytest.raises(Failed, match=RUNS):
            uninstall(made_of(paths), purge)
    assert tree(paths.root) == before


def test_a_zip_leaves_the_slot_that_may_have_to_be_gone_back_to(
    unproven: DevicePaths, archives: Archives
) -> None:
    before = tree(unproven.root)
    done = zip_command(archives(3), unproven.root)
    assert (done.returncode, done.stdout) == (1, "")
    assert "release 2 is live and not confirmed yet" in done.stderr
    assert "hint: Have it confirmed: sudo systemctl start onnxlet-settle." in done.stderr
    assert tree(unproven.root) == before


def test_so_does_a_slot_that_installs_itself(unproven: DevicePaths) -> None:
    with pytest.raises(Refused, match="release 2 is live and not confirmed yet"):
        install(made_of(unproven, "a"), [])
    assert live_slot(unproven) == "b"
    install(made_of(unproven, "b"), [])  # the same again, as after a change to its settings
    assert (live_slot(unproven), read_history(unproven)) == ("b", UNPROVEN)


def test_a_zip_holds_the_lock_until_its_slot_goes_on(
    paths: DevicePaths, archives: Archives, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And an attempt that had not switched yet is not taken for one that had."""
    write_history(paths, History(attempt=Attempt("bundle", 2, 3, "a")))
    became: list[list[str]] = []

    def become(path: str, command: list[str]) -> None:
        became.append(command)
        assert os.get_inheritable(int(command[-1]))
        with pytest.raises(Failed, match=RUNS), locked(paths):
            pass
        with locked(paths, os.dup(int(command[-1]))):  # as what it becomes does
            pass

    monkeypatch.setattr(os, "execv", become)
    from_zip.main(archives(3), ["install", "--root", str(paths.root)])

    [command] = became
    assert command[4:9] == [str(paths.slot("b")), "install", "--root", str(paths.root), "--lock"]
    assert release_of(paths.slot("b")) == 3
    switch(paths, "b")
    attempt = read_history(paths).under_way
    assert (attempt.tries, is_switched(paths, attempt)) == (3, False)
    with locked(paths):
        pass


def test_uninstalling_removes_an_unconfirmed_update(paths: DevicePaths) -> None:
    """Else it would be judged, and gone back from, once another bundle is installed."""
    for version in ("1", "2"):
        (paths.models / "iris" / version).mkdir(parents=True)
    (paths.data / "download").mkdir()
    (paths.data / ".incoming").mkdir()
    attempt = Attempt("models", 4, 1, models={"iris": 2})
    write_history(paths, History({"models": 3}, {}, attempt))
    uninstall(made_of(paths), purge=False)

    assert read_history(paths) == History({"models": 3})
    assert [path.name for path in (paths.models / "iris").iterdir()] == ["1"]
    assert sorted(path.name for path in paths.data.iterdir()) == [LOCK, "models", "updates.json"]
    uninstall(made_of(paths), purge=True)
    assert not paths.data.exists()
    uninstall(made_of(paths), purge=True)


def test_without_a_slot_that_is_live_nothing_has_to_be_gone_back_to(paths: DevicePaths) -> None:
    """A device that was taken away while an update was open, by the code before."""
    paths.live.unlink()
    assert not is_switched(paths, UNPROVEN.under_way)


def test_missing_rights_are_reported(paths: DevicePaths) -> None:
    """As another user than root."""
    paths.root.chmod(0o755)
    (paths.data / LOCK).touch(0o600)
    program = "import os, sys; from pathlib import Path\n"
    program += "from onnxlet.edge.device.slots import DevicePaths\n"
    program += "from onnxlet.edge.update.history import locked\nos.setuid(65534)\n"
    program += "try:\n with locked(DevicePaths(Path(sys.argv[1]))): pass\n"
    program += "except Exception as error: print(error)"
    if os.geteuid() != 0:
        pytest.skip("needs root")
    done = ran([sys.executable, "-c", program, str(paths.root)])
    assert done.stdout.endswith("Permission denied\nPut sudo before it.\n"), done.stderr


def test_ctrl_c_while_a_zip_installs_is_no_traceback(
    paths: DevicePaths, archives: Archives, tmp_path: Path
) -> None:
    before = tree(paths.root)
    fifo = tmp_path / "key"  # whose reader waits
    os.mkfifo(fifo)
    command = [sys.executable, "-I", "-S", str(archives(2)), "install"]
    command += ["--root", str(paths.root), "--key", str(fifo)]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, preexec_fn=hear_ctrl_c
    )  # fmt: skip
    with process:
        with fifo.open("w"):  # once it reads
            process.send_signal(signal.SIGINT)
        # What it reads has ended: a signal just before its read would else be heard after it only.
        said = process.communicate(timeout=60)[1]
    assert (process.returncode, said) == (1, "\nAborted!\n")
    assert tree(paths.root) == before


def test_an_image_s_root_that_is_none(tmp_path: Path, archives: Archives) -> None:
    done = zip_command(archives(2), tmp_path / "typo")
    assert done.returncode == 1
    assert f"--root {tmp_path / 'typo'}: expected a system's image, got no etc" in done.stderr
    assert not (tmp_path / "typo").exists()


def test_the_command_is_called_as_its_user_calls_it(paths: DevicePaths) -> None:
    done = ran([sys.executable, "-B", str(paths.live), "health", "--port", "99999"])
    assert done.returncode == 2
    assert "Try 'onnxlet health --help'" in done.stderr
