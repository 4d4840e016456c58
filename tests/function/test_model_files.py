"""What stands in a models' folder instead of a file: links, pipes, devices, folders."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from onnxlet.edge.reload.folder_scan import scan
from onnxlet.edge.reload.reloader import Reloader
from onnxlet.function.app import create_app
from onnxlet.function.errors import ModelError
from onnxlet.function.explanation.background import FILE as BACKGROUND
from onnxlet.function.explanation.background import background
from onnxlet.function.model_files import read_file, read_within
from onnxlet.function.models.aliases import FILE as ALIASES
from onnxlet.function.models.model import PAGE, PAGE_HASH, load_model
from onnxlet.function.models.repository import Repository
from onnxlet.function.serving.golden import load_proven
from onnxlet.function.settings import Settings
from tests.conftest import Client, app_of, client_of
from tests.function.altered import altered_manifest
from tests.function.http.test_report import write_page
from tests.log_lines import without_time

SECRET = b"somebody's own"


@pytest.fixture
def own(models: Path, tmp_path: Path) -> Path:
    """A folder with one model that has a report, and one beside it."""
    folder = tmp_path / "models"
    for name in ("iris", "shop"):
        shutil.copytree(models / name, folder / name)
    write_page(folder / "iris" / "1", b"a page")
    return folder


def elsewhere(path: Path) -> None:
    """The very file, but from another folder."""
    outside = path.parents[3] / "elsewhere"
    outside.mkdir(exist_ok=True)
    path.rename(outside / path.name)
    path.symlink_to(outside / path.name)


def by_two_links(path: Path) -> None:
    elsewhere(path)
    path.rename(path.parent / "second")
    path.symlink_to("second")


def by_a_folder(path: Path) -> None:
    """By a link to a folder, which stands in the model's own."""
    outside = path.parents[3] / "elsewhere"
    outside.mkdir(exist_ok=True)
    path.rename(outside / path.name)
    (path.parents[1] / "there").symlink_to(outside)
    path.symlink_to(f"../there/{path.name}")


def another_model(path: Path) -> None:
    other = path.parents[2] / "shop" / "1" / path.name
    path.rename(other.with_name("taken"))
    path.symlink_to(other.with_name("taken"))


def a_device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")  # that never ends


def of_the_system(path: Path) -> None:
    path.unlink()
    path.symlink_to("/proc/self/environ")


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)  # nobody writes to it: whoever opens it for reading waits


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_socket(path: Path) -> None:
    path.unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(path.parent)  # a socket's path is short
        listener.bind(path.name)
        os.chdir(here)


def a_loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to("away")


INSTEAD = [
    elsewhere, by_two_links, by_a_folder, another_model, a_device, of_the_system, a_pipe, a_folder,
    a_socket, a_loop, nothing,
]  # fmt: skip
FILES = ["manifest.json", "model.onnx", "golden.json", BACKGROUND]
Instead = Callable[[Path], None]


@pytest.mark.parametrize("instead", INSTEAD)
@pytest.mark.parametrize("file", FILES)
def test_a_version_is_refused(own: Path, file: str, instead: Instead) -> None:
    instead(own / "iris" / "1" / file)

    with pytest.raises(ModelError) as caught:
        background(load_proven(own / "iris" / "1")[0])
    assert caught.value.message.startswith(f"model iris/1: {file}")
    assert str(own) not in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("instead", INSTEAD)
def test_aliases_are_refused(own: Path, instead: Instead) -> None:
    (own / "iris" / ALIASES).write_text('{"stable": 1}')
    assert Repository(own).aliases("iris") == {"stable": 1}
    # It stands a folder higher than a version's files.
    (own / "iris" / "1" / ALIASES).write_text('{"stable": 1}')
    instead(own / "iris" / "1" / ALIASES)
    (own / "iris" / ALIASES).unlink()
    (own / "iris" / ALIASES).symlink_to(f"1/{ALIASES}")

    with pytest.raises(ModelError, match=r"model iris: aliases\.json: it can't be read"):
        Repository(own)


@pytest.mark.parametrize("instead", INSTEAD)
@pytest.mark.parametrize("file", [PAGE, PAGE_HASH])
def test_a_report_is_not_shown(own: Path, file: str, instead: Instead) -> None:
    asking = client_of(app_of(own))
    assert asking.get("/models/iris/report").body == b"a page"
    instead(own / "iris" / "1" / file)

    answer = asking.get("/models/iris/report")
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert asking.get("/models/iris").status == 200


def test_a_report_is_the_one_that_was_written(own: Path) -> None:
    """A link to another file of the model's, such as its golden rows, is none, either."""
    version = own / "iris" / "1"
    asking: Client = client_of(app_of(own))
    (version / PAGE).write_bytes(b"another page")

    def linked() -> None:
        (version / PAGE).unlink()
        (version / PAGE).symlink_to("golden.json")

    changes: list[Callable[[], object]] = [
        lambda: None,
        lambda: os.truncate(version / PAGE, 2**40),  # more than there is memory
        linked,
        lambda: (version / PAGE_HASH).write_bytes(b"\xff\xfe"),
        lambda: os.truncate(version / PAGE_HASH, 2**40),
        lambda: (version / PAGE_HASH).unlink(),
    ]
    for change in changes:
        change()
        answer = asking.get("/models/iris/report")
        assert answer.status == 404
        missing = not (version / PAGE_HASH).exists()
        assert answer.json()["detail"] == (
            "no report of iris version 1 here"
            if missing
            else "the report of iris version 1 is not the one that was written"
        )
        assert ("report" in asking.get("/models/iris").json()) is not missing


def test_links_of_a_mount_are_followed(own: Path, tmp_path: Path) -> None:
    """As Kubernetes mounts a ConfigMap: each file a link into a folder that is one itself."""
    version = own / "iris" / "1"
    real = version / "..2026_11_29"
    real.mkdir()
    for file in [each.name for each in version.iterdir() if each.is_file()]:
        (version / file).rename(real / file)
        (version / file).symlink_to(f"..data/{file}")
    (version / "..data").symlink_to(real.name)
    (tmp_path / "slot").symlink_to(own)  # as `live` is one, and a model's folder may be
    (own / "iris").rename(tmp_path / "iris")
    (own / "iris").symlink_to(tmp_path / "iris")

    asking = client_of(create_app(tmp_path / "slot", settings=Settings(own)))
    assert asking.get("/models/iris/report").body == b"a page"
    model, rows, faults = load_proven(tmp_path / "slot" / "iris" / "1")
    assert (rows > 0, faults, background(model).source) == (True, [], "statistics")


def test_a_version_from_elsewhere_is_refused(own: Path, tmp_path: Path) -> None:
    (own / "iris" / "1").rename(tmp_path / "1")
    (own / "iris" / "1").symlink_to(tmp_path / "1")

    with pytest.raises(ModelError, match="it leads out of the model's folder") as caught:
        load_model(own / "iris" / "1")
    assert caught.value.hint == ("Put the file itself there: cp -L copies what links lead to.")


@pytest.mark.parametrize("file", ["../../../private", "/etc/hostname", "..", ".", "", "a/b"])
def test_a_manifest_names_files_beside_it(own: Path, file: str) -> None:
    (own.parent / "private").write_bytes(SECRET)
    version = own / "iris" / "1"
    with altered_manifest(version) as manifest:
        manifest["files"][file] = hashlib.sha256(SECRET).hexdigest()

    with pytest.raises(ModelError, match=r"model iris/1: .*can't be read: "):
        load_proven(version)


def test_nobody_changes_a_file_to_a_link_meanwhile(own: Path) -> None:
    """Whoever reads gets the file, or is refused, however often it is switched."""
    version, done = own / "iris" / "1", threading.Event()
    (version / "file").write_bytes(b"good")
    (version / "folder").mkdir()
    (version / "folder" / "deep").write_bytes(b"good")
    (own / "outside").mkdir()
    for name in ("file", "deep"):
        (own / "outside" / name).write_bytes(SECRET)

    def switch() -> None:
        while not done.is_set():
            (version / "link").symlink_to(own / "outside" / "file")
            (version / "link").replace(version / "file")
            (version / "other").write_bytes(b"good")
            (version / "other").replace(version / "file")
            (version / "folder").rename(version / "away")
            (version / "folder").symlink_to(own / "outside")
            (version / "folder").unlink()
            (version / "away").rename(version / "folder")

    switching = threading.Thread(target=switch)
    switching.start()
    seen, refused = set(), 0
    try:
        while refused < 100 or b"good" not in seen:
            for path in (("file",), ("folder", "deep")):
                try:
                    seen.add(read_within(own / "iris", "1", *path))
                except OSError:
                    refused += 1
    finally:
        done.set()
        switching.join()
    assert seen == {b"good"}


def test_what_is_no_part_of_a_model_holds_up_nobody(
    own: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """At the start and while it is served."""
    for path in (own / "pipe", own / "iris" / "2", own / "iris" / "1" / "notes", own / "one" / "1"):
        path.parent.mkdir(exist_ok=True)
        os.mkfifo(path)
    assert Repository(own).names == ["iris", "shop"]

    reloader = Reloader(repository := Repository(own))
    shutil.copytree(own / "shop" / "1", own / "shop" / "2")
    shutil.copytree(own / "iris" / "1", own / "iris" / "3", ignore=shutil.ignore_patterns("notes"))
    a_pipe(own / "iris" / "3" / "manifest.json")
    for _ in range(2):
        reloader.refresh()
    assert (repository.choose("shop").version, repository.choose("iris").version) == (2, 1)
    assert ("iris", 3) in scan(own)
    assert {
        "event": "reload", "model": "iris", "version": 3, "state": "refused",
        "error": "model iris/3: manifest.json: it is no regular file",
    } in without_time(capfd.readouterr().err)  # fmt: skip


def test_a_pipe_at_the_start_is_reported(own: Path) -> None:
    """As any broken model is: nobody is served by half of what should be there."""
    a_pipe(own / "iris" / "1" / "model.onnx")
    with pytest.raises(ModelError, match=r"model iris/1: model\.onnx: it is no regular file"):
        Repository(own)


def test_a_large_file_is_read_as_far_as_it_may_be(own: Path) -> None:
    (own / "iris" / "file").write_bytes(b"a" * 100)
    assert read_within(own / "iris", "file", most=7) == b"a" * 7
    assert read_within(own / "iris", "file") == b"a" * 100
    assert len(read_file(own / "iris" / "1", "golden.json")) > 2
