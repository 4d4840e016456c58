"""A models' folder that changes while it is served: what is taken, refused and forgotten."""

from __future__ import annotations

import gc
import json
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onnxlet.edge.reload.reloader import Reloader
from onnxlet.function.errors import UnknownModel
from onnxlet.function.models.repository import Repository
from tests.function.altered import altered_manifest, put
from tests.log_lines import without_time


def add(own: Path, version: int, name: str = "iris") -> Path:
    """A version that is whole and answers as version 1."""
    shutil.copytree(own / "iris" / "1", own / name / str(version))
    return own / name / str(version)


class Served:
    """That folder, served."""

    def __init__(self, own: Path) -> None:
        self.own = own
        self.repository = Repository(own)
        self.reloader = Reloader(self.repository)

    def add(self, version: int, name: str = "iris") -> Path:
        return add(self.own, version, name)

    def look(self, times: int = 2) -> None:
        look(self.reloader, times)


@pytest.fixture
def served(own: Path) -> Served:
    return Served(own)


def rewrite_golden(directory: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the golden rows, their hash with them."""
    golden = json.loads((directory / "golden.json").read_text())
    change(golden)
    put(directory, "golden.json", json.dumps(golden).encode())


def look(reloader: Reloader, times: int = 2) -> None:
    for _ in range(times):
        reloader.refresh()


def lines(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return without_time(capfd.readouterr().err)


def test_a_new_version_is_taken_at_the_second_scan(
    served: Served, capfd: pytest.CaptureFixture[str]
) -> None:
    served.add(2)
    served.look(1)
    assert served.repository.choose("iris").version == 1
    served.look(1)

    assert served.repository.choose("iris").version == 2
    assert served.repository.versions("iris") == [1, 2]
    assert served.repository.choose("iris", 1).version == 1
    assert lines(capfd) == [{"event": "reload", "model": "iris", "version": 2, "state": "served"}]


def test_a_new_model_is_taken(served: Served) -> None:
    served.add(7, "another")
    served.look()

    assert served.repository.names == ["another", "iris"]
    assert served.repository.choose("another").version == 7
    with pytest.raises(UnknownModel, match="several"):
        served.repository.choose()


def test_a_catalogue_that_a_reader_holds_never_changes(served: Served) -> None:
    held = served.repository.catalogue
    served.add(2)
    served.look()

    assert held.versions == {"iris": [1]}
    assert list(held.loaded) == [("iris", 1)]


def test_a_copy_in_progress_is_not_read(served: Served, capfd: pytest.CaptureFixture[str]) -> None:
    whole, part = served.own / "iris" / "1", served.own / "iris" / "2"
    part.mkdir()
    onnx = (whole / "model.onnx").read_bytes()
    for end in (0, 100, 500, len(onnx)):  # the manifest comes last, then first
        (part / "model.onnx").write_bytes(onnx[:end])
        served.look(1)
    shutil.copy(whole / "manifest.json", part)
    for end in (10, 200):
        (part / "golden.json").write_bytes((whole / "golden.json").read_bytes()[:end])
        served.look(1)
    shutil.copytree(whole, part, dirs_exist_ok=True)
    served.look(1)
    assert served.repository.choose("iris").version == 1
    assert lines(capfd) == []
    served.look(1)

    assert served.repository.choose("iris").version == 2


def _alter(directory: Path) -> None:
    content = bytearray((directory / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (directory / "model.onnx").write_bytes(bytes(content))


def _answer_otherwise(directory: Path) -> None:
    def change(golden: dict[str, Any]) -> None:
        golden["answers"]["probabilities"][0] = [0.125, 0.125, 0.75]

    rewrite_golden(directory, change)


def _alter_golden(directory: Path) -> None:
    with (directory / "golden.json").open("a") as file:
        file.write(" ")


def _no_manifest(directory: Path) -> None:
    (directory / "manifest.json").write_text("{}")


def _no_graph(directory: Path) -> None:
    with altered_manifest(directory) as manifest:
        del manifest["graph"]


def _no_file(directory: Path) -> None:
    (directory / "golden.json").unlink()


BROKEN = {
    "altered": (_alter, "altered"),
    "golden rows altered": (_alter_golden, "golden.json was altered"),
    "golden rows off": (_answer_otherwise, "1 golden rows are answered differently"),
    "no manifest": (_no_manifest, "expected a manifest"),
    "no graph": (_no_graph, "does not load"),
    "a file is missing": (_no_file, "golden.json"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_version_is_refused_and_logged_once(
    served: Served,
    capfd: pytest.CaptureFixture[str],
    fault: str,
) -> None:
    break_it, reason = BROKEN[fault]
    break_it(served.add(2))
    served.look(4)

    assert served.repository.choose("iris").version == 1
    assert served.repository.versions("iris") == [1]
    with pytest.raises(UnknownModel, match="no version 2"):
        served.repository.choose("iris", 2)
    [line] = lines(capfd)
    assert (line["model"], line["version"], line["state"]) == ("iris", 2, "refused")
    assert reason in str(line["error"])
    assert "0.125" not in str(line["error"])  # golden rows may be somebody's data
    assert served.reloader.refused == {("iris", 2): line["error"]}


def test_a_broken_version_is_tried_again_when_it_changes(served: Served) -> None:
    _alter(served.add(2))
    served.look(3)
    shutil.copy(served.own / "iris" / "1" / "model.onnx", served.own / "iris" / "2")
    served.look()

    assert served.repository.choose("iris").version == 2
    assert served.reloader.refused == {}


@pytest.mark.parametrize("looks", [0, 2])
def test_the_next_version_passes_a_broken_one(served: Served, looks: int) -> None:
    _alter(served.add(2))
    served.look(looks)
    served.add(3)
    served.look()

    assert served.repository.choose("iris").version == 3
    if looks:  # it was tried, and refused, before
        assert served.repository.versions("iris") == [1, 3]


def test_a_refused_version_that_was_removed_is_forgotten(
    served: Served, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = served.add(2)
    _alter(broken)
    served.look()
    broken.rename(served.own.parent / "kept")
    served.look()
    assert served.reloader.refused == {}
    (served.own.parent / "kept").rename(broken)
    served.look()

    assert [line["state"] for line in lines(capfd)] == ["refused", "refused"]


def test_a_served_version_whose_files_are_broken_goes_on(served: Served) -> None:
    before = served.repository.choose("iris")
    _alter(served.own / "iris" / "1")
    served.look(3)

    assert served.repository.choose("iris") is before
    assert list(served.reloader.refused) == [("iris", 1)]


def test_a_served_version_whose_files_are_replaced_is_loaded_anew(served: Served) -> None:
    before = served.repository.choose("iris")
    rewrite_golden(served.own / "iris" / "1", lambda golden: None)
    served.look()

    assert served.repository.choose("iris") is not before
    assert served.repository.choose("iris").version == 1


def test_a_removed_version_gives_way_to_the_one_before(
    served: Served, capfd: pytest.CaptureFixture[str]
) -> None:
    served.add(2)
    served.look()
    shutil.rmtree(served.own / "iris" / "2")
    served.look(1)
    assert served.repository.choose("iris").version == 2  # it may be on its way to be replaced
    served.look(1)

    assert served.repository.choose("iris").version == 1
    assert served.repository.versions("iris") == [1]
    assert [line.get("version") for line in lines(capfd)] == [2, 1]


def test_a_removed_model_is_forgotten(served: Served, capfd: pytest.CaptureFixture[str]) -> None:
    served.add(1, "another")
    served.look()
    shutil.rmtree(served.own / "iris")
    served.look()

    assert served.repository.names == ["another"]
    assert served.repository.versions("iris") == []
    with pytest.raises(UnknownModel, match="There is another"):
        served.repository.choose("iris")
    shutil.rmtree(served.own / "another")
    served.look()
    with pytest.raises(UnknownModel, match="There is none"):
        served.repository.choose("another")
    assert [(line["model"], line["state"]) for line in lines(capfd)] == [
        ("another", "served"),
        ("iris", "removed"),
        ("another", "removed"),
    ]


def test_memory_of_what_is_served_no_more_is_given_back(served: Served) -> None:
    first = weakref.ref(served.repository.choose("iris"))
    served.add(2)
    served.look()
    gc.collect()

    assert first() is None


def test_an_older_version_that_was_asked_for_stays(served: Served) -> None:
    served.add(2)
    served.look()
    asked = served.repository.choose("iris", 1)
    served.add(3)
    served.look(3)

    assert served.repository.choose("iris", 1) is asked
    assert served.repository.versions("iris") == [1, 2, 3]


def test_an_older_version_that_vanished_a_moment_ago_is_unknown(served: Served) -> None:
    served.add(2)
    served.look()
    shutil.rmtree(served.own / "iris" / "1")

    with pytest.raises(UnknownModel, match="any more"):
        served.repository.choose("iris", 1)


def test_a_folder_that_is_away_changes_nothing(
    served: Served, capfd: pytest.CaptureFixture[str]
) -> None:
    served.own.rename(served.own.with_name("away"))
    served.look(3)
    assert served.repository.choose("iris").version == 1
    [line] = lines(capfd)
    assert line == {"event": "reload", "error": "the folder: No such file or directory"}
    served.own.with_name("away").rename(served.own)
    served.add(2)
    served.look()

    assert served.repository.choose("iris").version == 2


def test_a_link_that_is_switched_to_another_folder(own: Path, tmp_path: Path) -> None:
    """As a device does with its slots: forth to the newer one, and back."""
    other = tmp_path / "b"
    shutil.copytree(own, other)
    add(other, 2)
    live = tmp_path / "live"
    live.symlink_to(own)
    repository = Repository(live)
    reloader = Reloader(repository)
    for target, version in ((other, 2), (own, 1)):
        (tmp_path / "new").symlink_to(target)
        (tmp_path / "new").replace(live)
        look(reloader, 3)
        assert repository.choose("iris").version == version
        assert repository.versions("iris")[-1] == version


def test_what_is_no_version_is_ignored(served: Served) -> None:
    served.add(1, ".building")
    for ignored in ("011", "new", ".2", "0"):
        shutil.copytree(served.own / "iris" / "1", served.own / "iris" / ignored)
    (served.own / "iris" / "5").mkdir()
    (served.own / "file").touch()
    (served.own / "iris" / "6").touch()
    served.look(3)

    assert served.repository.catalogue.versions == {"iris": [1]}
