"""A models' folder that changes while it is served: what is taken, refused and forgotten."""

from __future__ import annotations

import gc
import hashlib
import json
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onnxlet.function.errors import UnknownModel
from onnxlet.function.models.repository import Repository
from onnxlet.function.serving.reload import Reloader
from tests.log_lines import without_time


@pytest.fixture
def own(models: Path, tmp_path: Path) -> Path:
    """A folder with version 1 of one model, which a test may change."""
    shutil.copytree(models / "iris", tmp_path / "models" / "iris")
    return tmp_path / "models"


@pytest.fixture
def repository(own: Path) -> Repository:
    return Repository(own)


@pytest.fixture
def reloader(repository: Repository) -> Reloader:
    return Reloader(repository)


def add(own: Path, version: int, name: str = "iris") -> Path:
    """A version that is whole and answers as version 1."""
    shutil.copytree(own / "iris" / "1", own / name / str(version))
    return own / name / str(version)


def rewrite_golden(directory: Path, change: Callable[[dict[str, object]], None]) -> None:
    """Change the golden rows, their hash with them."""
    golden = json.loads((directory / "golden.json").read_text())
    change(golden)
    (directory / "golden.json").write_text(json.dumps(golden))
    manifest = json.loads((directory / "manifest.json").read_text())
    digest = hashlib.sha256((directory / "golden.json").read_bytes()).hexdigest()
    manifest["files"]["golden.json"] = digest
    (directory / "manifest.json").write_text(json.dumps(manifest))


def look(reloader: Reloader, times: int = 2) -> None:
    for _ in range(times):
        reloader.refresh()


def lines(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return without_time(capfd.readouterr().err)


def test_a_new_version_is_taken_at_the_second_scan(
    own: Path, repository: Repository, reloader: Reloader, capfd: pytest.CaptureFixture[str]
) -> None:
    add(own, 2)
    look(reloader, 1)
    assert repository.choose("iris").version == 1
    look(reloader, 1)

    assert repository.choose("iris").version == 2
    assert repository.versions("iris") == [1, 2]
    assert repository.choose("iris", 1).version == 1
    assert lines(capfd) == [{"event": "reload", "model": "iris", "version": 2, "state": "served"}]


def test_a_new_model_is_taken(own: Path, repository: Repository, reloader: Reloader) -> None:
    add(own, 7, "another")
    look(reloader)

    assert repository.names == ["another", "iris"]
    assert repository.choose("another").version == 7
    with pytest.raises(UnknownModel, match="several"):
        repository.choose()


def test_a_catalogue_that_a_reader_holds_never_changes(
    own: Path, repository: Repository, reloader: Reloader
) -> None:
    held = repository.catalogue
    add(own, 2)
    look(reloader)

    assert held.versions == {"iris": [1]}
    assert list(held.loaded) == [("iris", 1)]


def test_a_copy_in_progress_is_not_read(
    own: Path, repository: Repository, reloader: Reloader, capfd: pytest.CaptureFixture[str]
) -> None:
    whole, part = own / "iris" / "1", own / "iris" / "2"
    part.mkdir()
    onnx = (whole / "model.onnx").read_bytes()
    for end in (0, 100, 500, len(onnx)):  # the manifest comes last, then first
        (part / "model.onnx").write_bytes(onnx[:end])
        look(reloader, 1)
    shutil.copy(whole / "manifest.json", part)
    for end in (10, 200):
        (part / "golden.json").write_bytes((whole / "golden.json").read_bytes()[:end])
        look(reloader, 1)
    shutil.copytree(whole, part, dirs_exist_ok=True)
    look(reloader, 1)
    assert repository.choose("iris").version == 1
    assert lines(capfd) == []
    look(reloader, 1)

    assert repository.choose("iris").version == 2


def _alter(directory: Path) -> None:
    content = bytearray((directory / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (directory / "model.onnx").write_bytes(bytes(content))


def _answer_otherwise(directory: Path) -> None:
    def change(golden: dict[str, object]) -> None:
        answers = golden["answers"]
        assert isinstance(answers, dict)
        answers["probabilities"][0] = [0.125, 0.125, 0.75]

    rewrite_golden(directory, change)


def _alter_golden(directory: Path) -> None:
    with (directory / "golden.json").open("a") as file:
        file.write(" ")


def _no_manifest(directory: Path) -> None:
    (directory / "manifest.json").write_text("{}")


def _no_graph(directory: Path) -> None:
    manifest = json.loads((directory / "manifest.json").read_text())
    del manifest["graph"]
    (directory / "manifest.json").write_text(json.dumps(manifest))


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
    own: Path,
    repository: Repository,
    reloader: Reloader,
    capfd: pytest.CaptureFixture[str],
    fault: str,
) -> None:
    break_it, reason = BROKEN[fault]
    break_it(add(own, 2))
    look(reloader, 4)

    assert repository.choose("iris").version == 1
    assert repository.versions("iris") == [1]
    with pytest.raises(UnknownModel, match="no version 2"):
        repository.choose("iris", 2)
    [line] = lines(capfd)
    assert (line["model"], line["version"], line["state"]) == ("iris", 2, "refused")
    assert reason in str(line["error"])
    assert "0.125" not in str(line["error"])  # golden rows may be somebody's data
    assert reloader.refused == {("iris", 2): line["error"]}


def test_a_broken_version_is_tried_again_when_it_changes(
    own: Path, repository: Repository, reloader: Reloader
) -> None:
    _alter(add(own, 2))
    look(reloader, 3)
    shutil.copy(own / "iris" / "1" / "model.onnx", own / "iris" / "2")
    look(reloader)

    assert repository.choose("iris").version == 2
    assert reloader.refused == {}


def test_a_refused_version_is_not_listed_below_the_next(
    own: Path, repository: Repository, reloader: Reloader
) -> None:
    _alter(add(own, 2))
    look(reloader)
    add(own, 3)
    look(reloader)

    assert repository.versions("iris") == [1, 3]


def test_a_refused_version_that_was_removed_is_forgotten(
    own: Path, repository: Repository, reloader: Reloader, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = add(own, 2)
    _alter(broken)
    look(reloader)
    broken.rename(own.parent / "kept")
    look(reloader)
    assert reloader.refused == {}
    (own.parent / "kept").rename(broken)
    look(reloader)

    assert [line["state"] for line in lines(capfd)] == ["refused", "refused"]


def test_the_next_version_passes_a_broken_one(
    own: Path, repository: Repository, reloader: Reloader
) -> None:
    _alter(add(own, 2))
    add(own, 3)
    look(reloader)

    assert repository.choose("iris").version == 3


def test_a_served_version_whose_files_are_broken_goes_on(
    own: Path, repository: Repository, reloader: Reloader
) -> None:
    served = repository.choose("iris")
    _alter(own / "iris" / "1")
    look(reloader, 3)

    assert repository.choose("iris") is served
    assert list(reloader.refused) == [("iris", 1)]


def test_a_served_version_whose_files_are_replaced_is_loaded_anew(
    own: Path, repository: Repository, reloader: Reloader
) -> None:
    served = repository.choose("iris")
    rewrite_golden(own / "iris" / "1", lambda golden: None)
    look(reloader)

    assert repository.choose("iris") is not served
    assert repository.choose("iris").version == 1


def test_a_removed_version_gives_way_to_the_one_before(
    own: Path, repository: Repository, reloader: Reloader, capfd: pytest.CaptureFixture[str]
) -> None:
    add(own, 2)
    look(reloader)
    shutil.rmtree(own / "iris" / "2")
    look(reloader, 1)
    assert repository.choose("iris").version == 2  # it may be on its way to be replaced
    look(reloader, 1)

    assert repository.choose("iris").version == 1
    assert repository.versions("iris") == [1]
    assert [line.get("version") for line in lines(capfd)] == [2, 1]


def test_a_removed_model_is_forgotten(
    own: Path, repository: Repository, reloader: Reloader, capfd: pytest.CaptureFixture[str]
) -> None:
    add(own, 1, "another")
    look(reloader)
    shutil.rmtree(own / "iris")
    look(reloader)

    assert repository.names == ["another"]
    assert repository.versions("iris") == []
    with pytest.raises(UnknownModel, match="There is another"):
        repository.choose("iris")
    shutil.rmtree(own / "another")
    look(reloader)
    with pytest.raises(UnknownModel, match="There is none"):
        repository.choose("another")
    assert [(line["model"], line["state"]) for line in lines(capfd)] == [
        ("another", "served"),
        ("iris", "removed"),
        ("another", "removed"),
    ]


def test_memory_of_what_is_served_no_more_is_given_back(
    own: Path, repository: Repository, reloader: Reloader
) -> None:
    first = weakref.ref(repository.choose("iris"))
    add(own, 2)
    look(reloader)
    gc.collect()

    assert first() is None


def test_an_older_version_that_was_asked_for_stays(
    own: Path, repository: Repository, reloader: Reloader
) -> None:
    add(own, 2)
    look(reloader)
    asked = repository.choose("iris", 1)
    add(own, 3)
    look(reloader, 3)

    assert repository.choose("iris", 1) is asked
    assert repository.versions("iris") == [1, 2, 3]


def test_an_older_version_that_vanished_a_moment_ago_is_unknown(
    own: Path, repository: Repository, reloader: Reloader
) -> None:
    add(own, 2)
    look(reloader)
    shutil.rmtree(own / "iris" / "1")

    with pytest.raises(UnknownModel, match="any more"):
        repository.choose("iris", 1)


def test_a_folder_that_is_away_changes_nothing(
    own: Path, repository: Repository, reloader: Reloader, capfd: pytest.CaptureFixture[str]
) -> None:
    own.rename(own.with_name("away"))
    look(reloader, 3)
    assert repository.choose("iris").version == 1
    [line] = lines(capfd)
    assert line == {"event": "reload", "error": "the folder: No such file or directory"}
    own.with_name("away").rename(own)
    add(own, 2)
    look(reloader)

    assert repository.choose("iris").version == 2


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


def test_what_is_no_version_is_ignored(
    own: Path, repository: Repository, reloader: Reloader
) -> None:
    add(own, 1, ".building")
    for ignored in ("011", "new", ".2", "0"):
        shutil.copytree(own / "iris" / "1", own / "iris" / ignored)
    (own / "iris" / "5").mkdir()
    (own / "file").touch()
    (own / "iris" / "6").touch()
    look(reloader, 3)

    assert repository.catalogue.versions == {"iris": [1]}
