"""Releases that are taken, kept, gone back from and not tried twice, beside a running service."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from onnxlet.convert.bundle.contents import choose_models
from onnxlet.convert.bundle.package import write_models
from onnxlet.convert.bundle.sign import sign_release
from onnxlet.edge.device.slots import DevicePaths, live_slot
from onnxlet.edge.update import confirm
from onnxlet.edge.update.errors import Failed, Refused
from onnxlet.edge.update.health import LocalServer, service_faults
from onnxlet.edge.update.history import Attempt, History, read_history, write_history
from onnxlet.edge.update.setup import Setup
from onnxlet.edge.update.status import lines, release_of, status
from onnxlet.edge.update.update import exclusively, roll_model_back, rollback, update
from onnxlet.function.errors import WrongUse
from tests.conftest import ran
from tests.edge.forward.endpoint import wait_until
from tests.edge.reload.test_reload import rewrite_golden
from tests.edge.service.test_reloading import Asking, another_iris
from tests.edge.update.conftest import FOR, Maker, amend, as_bytes, live_faults, make_key, tree
from tests.kept_builds import kept_builds

Archives = Callable[[int], Path]


def served(setup: Setup) -> Any:
    with urlopen(f"{setup.service.url}/models/iris", timeout=10) as answer:  # noqa: S310 - http
        return json.load(answer)["version"]


@pytest.mark.long
def test_a_release_is_taken_and_gone_back_from(
    supervise: Callable[[], Setup],
    paths: DevicePaths,
    archives: Archives,
    maker: Maker,
    second: Path,
) -> None:
    setup = supervise()

    assert update(setup, str(maker.release(5, second))) == ["bundle release 5: taken"]
    assert (live_slot(paths), release_of(paths.live), served(setup)) == ("b", 5, 2)
    assert read_history(paths).highest["bundle"] == 5
    assert not list(paths.data.glob("download*"))

    assert rollback(setup) == "slot a serves, release 1"
    assert (live_slot(paths), served(setup)) == ("a", 1)
    with pytest.raises(Refused, match="given up: rolled back by hand to release 1"):
        rollback(setup)
    with pytest.raises(Refused, match="was given up here: rolled back by hand"):
        update(setup, str(maker.folder / "5.zip"))
    reported = status(paths)
    assert (reported["live"], reported["slots"]["b"]["release"], reported["models"]) == (
        "a",
        5,
        {"iris": 1},
    )
    assert "slot a (live): release 1, iris/1" in lines(reported)


@pytest.mark.long
def test_a_service_that_does_not_come_up_is_gone_back_from(
    supervise: Callable[[], Setup],
    paths: DevicePaths,
    maker: Maker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its own check finds nothing: only the service fails, as it would on a taken port."""
    files = maker.files(6)
    main = as_bytes(files["__main__.py"]).decode()
    guard = 'if __name__ == "__main__":\n'
    broken = main.replace(guard, f"{guard}    sys.argv[1] == 'serve' and 1 / 0\n")
    assert broken != main
    amend(files, "__main__.py", broken.encode())
    archive = maker.sign(maker.write(files, "6.zip"), 6)
    setup = supervise()

    def soon(service: LocalServer, models: Mapping[Path, tuple[str, int]]) -> list[str]:
        """The release gets little time; the one before may take long to start, as anywhere."""
        return service_faults(
            service._replace(seconds=1.5) if live_slot(paths) == "b" else service, models
        )

    monkeypatch.setattr(confirm, "service_faults", soon)
    with pytest.raises(Refused, match=r"bundle release 6 fails here.*health/ready") as caught:
        update(setup, str(archive))

    assert "is not tried again" in caught.value.hint
    assert (live_slot(paths), served(setup), live_faults(paths)) == ("a", 1, [])
    with pytest.raises(Refused, match="was given up here"):
        update(setup, str(archive))
    assert read_history(paths).highest["bundle"] == 1


def test_golden_rows_that_are_off_never_serve(setup: Setup, maker: Maker, tmp_path: Path) -> None:
    shutil.copytree(maker.models / "iris", tmp_path / "models" / "iris")
    files = maker.files(7)
    rewrite_golden(
        tmp_path / "models" / "iris" / "1",
        lambda golden: golden["answers"]["prediction"].__setitem__(0, 9),
    )
    for name in ("golden.json", "manifest.json"):
        content = (tmp_path / "models" / "iris" / "1" / name).read_bytes()
        amend(files, f"models/iris/1/{name}", content)
    archive = maker.sign(maker.write(files, "7.zip"), 7)
    before = tree(setup.paths.data, "updates.json")

    with pytest.raises(Refused, match="1 golden rows are answered differently than at build"):
        update(setup, str(archive))
    assert tree(setup.paths.data, "updates.json") == before
    with pytest.raises(Refused, match="was given up here"):
        update(setup, str(archive))


def models_archive(maker: Maker, models: Path, release: int, **more: Any) -> Path:
    out = maker.folder / f"models {release}.zip"
    write_models(choose_models(models, ["iris"], ()), out, release)
    sign_release(out, maker.key, kind="models", release=release, **{**FOR, **more})
    return out


@pytest.fixture
def second(maker: Maker, tmp_path: Path) -> Path:
    """A folder with a second version of the model."""
    shutil.copytree(maker.models / "iris" / "1", tmp_path / "second" / "iris" / "1")
    return kept_builds({"iris": another_iris()}, tmp_path / "second")


@pytest.mark.long
def test_a_model_only_update_needs_no_restart_and_loses_no_request(
    supervise: Callable[[], Setup],
    paths: DevicePaths,
    maker: Maker,
    second: Path,
    archives: Archives,
) -> None:
    setup = supervise()
    assert update(setup, str(archives(2))) == ["bundle release 2: taken"]
    asking = Asking(int(setup.service.url.rpartition(":")[2]))
    asking.start()

    def it_is_answered_by(version: int) -> None:
        wait_until(lambda: bool(asking.failed or [a[1] for a in asking.answers[-1:]] == [version]))

    try:
        it_is_answered_by(1)
        done = update(setup, str(models_archive(maker, second, 3)))
        assert (done, served(setup)) == (["models release 3: taken"], 2)
        it_is_answered_by(2)
        assert update(setup, str(maker.folder / "models 3.zip")) == [
            "nothing newer for this device"
        ]
        assert status(paths)["models"] == {"iris": 2}
        assert roll_model_back(setup, "iris") == "iris/2 is removed"
        it_is_answered_by(1)
    finally:
        asking.stopped.set()
        asking.join(20)
    assert asking.failed is None
    assert [answer[:2] for answer in asking.answers] == [(200, 1), (200, 2), (200, 1)]


def test_models_that_the_service_never_loads_are_removed(
    setup: Setup, paths: DevicePaths, maker: Maker, second: Path
) -> None:
    setup = setup._replace(service=setup.service._replace(seconds=0.5))
    before = tree(paths.data, "updates.json", "models/iris")

    with pytest.raises(Refused, match=r"models release 4 fails here.*versions/2/predict.*404"):
        update(setup, str(models_archive(maker, second, 4)))

    assert tree(paths.data, "updates.json", "models/iris") == before
    assert not (paths.models / "iris" / "2").exists()


@pytest.mark.long
@pytest.mark.parametrize("kind", ["bundle", "models"])
def test_a_service_that_is_down_anyway_is_no_fault_of_the_release(
    setup: Setup, paths: DevicePaths, maker: Maker, second: Path, archives: Archives, kind: str
) -> None:
    away = setup._replace(service=setup.service._replace(url="http://127.0.0.1:9", seconds=0.1))
    archive = archives(2) if kind == "bundle" else models_archive(maker, second, 2)

    with pytest.raises(Failed, match=r"answers neither with it nor without.*got no answer"):
        update(away, str(archive))

    assert (live_slot(paths), read_history(paths).broken) == ("a", {})
    assert not (paths.models / "iris" / "2").exists()
    if kind == "bundle":
        assert update(setup, str(archive)) == ["bundle release 2: taken"]


def test_what_is_installed_counts_as_accepted_whatever_was_cut_off(
    setup: Setup, paths: DevicePaths, maker: Maker, archives: Archives, tmp_path: Path
) -> None:
    write_history(paths, History(attempt=Attempt("models", 7, 1)))
    shutil.copy(archives(2), tmp_path / "same.zip")
    with pytest.raises(Refused, match="for name pumps"):
        update(setup, str(maker.sign(tmp_path / "same.zip", 1, name="pumps")))
    assert update(setup, str(archives(1))) == ["nothing newer for this device"]


def test_a_version_that_is_there_already_is_not_replaced(
    setup: Setup, paths: DevicePaths, maker: Maker, second: Path
) -> None:
    shutil.copytree(maker.models / "iris" / "1", paths.models / "iris" / "2")
    before = tree(paths.data, "updates.json")

    with pytest.raises(Refused, match="models/iris/2 is there already, and another"):
        update(setup, str(models_archive(maker, second, 5)))
    assert tree(paths.data, "updates.json") == before


def test_one_update_at_a_time(setup: Setup, archives: Archives) -> None:
    with exclusively(setup.paths), pytest.raises(Failed, match="another update is running"):
        update(setup, str(archives(2)))


def test_without_an_installation_it_says_so(setup: Setup, archives: Archives) -> None:
    setup.paths.live.unlink()
    with pytest.raises(WrongUse, match="no release is installed"):
        update(setup, str(archives(2)))


def test_two_keys_are_trusted_and_a_third_is_too_many(
    setup: Setup, maker: Maker, paths: DevicePaths, tmp_path: Path
) -> None:
    archive = maker.write(maker.files(8), "8.zip")
    maker.sign(archive, 8, key=make_key(tmp_path, "next"))
    with pytest.raises(Refused, match=r"signed by key [0-9A-F]{16}, and trusted are"):
        update(setup, str(archive))
    shutil.copy(tmp_path / "next.pub", paths.keys)
    assert update(setup, str(archive)) == ["bundle release 8: taken"]
    make_key(tmp_path, "third")
    shutil.copy(tmp_path / "third.pub", paths.keys)
    with pytest.raises(Refused, match=r"one or two public keys NAME.pub, got 3"):
        update(setup, str(archive))


def test_the_commands(paths: DevicePaths, setup: Setup, archives: Archives) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "edge", *arguments, "--root", str(paths.root)]
        done = ran(command)
        return done.returncode, done.stdout + done.stderr

    code, said = run("update", str(archives(2)))
    assert (code, said.splitlines()[0]) == (0, "bundle release 2: taken"), said
    code, said = run("update", str(archives(1)))
    assert code == 1
    assert "error: bundle release 1: expected a number above 2, the highest" in said
    code, said = run("status", "--json")
    assert (code, json.loads(said)["highest"]) == (0, {"bundle": 2})
    assert run("rollback")[0] == 0
    code, said = run("update")
    assert (code, said.splitlines()[0]) == (2, "error: no URL or FILE was given")
    assert "Traceback" not in said
