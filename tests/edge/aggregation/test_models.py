"""Models that all workers switch to, or none: what is new, broken for one of them, or gone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from onnxlet.edge.aggregation.models import SharedModels
from onnxlet.edge.reload import reloader as reload
from onnxlet.edge.reload.reloader import Reloader
from onnxlet.function.errors import ModelError
from onnxlet.function.models.repository import Repository
from onnxlet.function.serving import golden
from tests.edge.aggregation.links import Links, LocalLink
from tests.edge.reload.test_reload import add, lines
from tests.function.altered import altered_manifest


class Worker:
    """A repository with what scans its folder for it."""

    def __init__(self, folder: Path, link: LocalLink) -> None:
        self.link = link
        self.shared = SharedModels(link)
        self.repository = Repository(folder, begin=self.shared.begin)
        self.reloader: Reloader = self.shared.start(self.repository)

    @property
    def served(self) -> dict[str, int]:
        return dict(self.repository.catalogue.served)


@pytest.fixture
def links() -> Links:
    return Links()


@pytest.fixture
def workers(own: Path, links: Links) -> list[Worker]:
    return [Worker(own, links.join()) for _ in range(3)]


def scan(workers: list[Worker], times: int = 2) -> None:
    for _ in range(times):
        for worker in workers:
            worker.reloader.refresh()


def test_all_switch_once_the_last_one_has_proven_it(
    own: Path, workers: list[Worker], capfd: pytest.CaptureFixture[str]
) -> None:
    add(own, 2)
    scan(workers, 1)
    for worker in workers:
        assert [each.served for each in workers] == [{"iris": 1}] * 3
        worker.reloader.refresh()
    assert [each.served for each in workers] == [{"iris": 2}] * 3
    assert lines(capfd) == [{"event": "reload", "model": "iris", "version": 2, "state": "served"}]
    models = [each.repository.choose("iris") for each in workers]
    assert len(set(map(id, models))) == 3
    scan(workers, 3)
    assert [each.repository.choose("iris") for each in workers] == models
    assert lines(capfd) == []


def test_a_version_is_loaded_once_however_long_the_others_take(
    own: Path, workers: list[Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[Path] = []
    load = golden.load_proven
    monkeypatch.setattr(
        reload,
        "load_proven",
        lambda d, t: loaded.append(d) or load(d, t),  # type: ignore[func-returns-value] # notes, then goes on
    )
    add(own, 2)
    scan(workers[:2], 8)
    assert len(loaded) == 2
    assert workers[0].served == {"iris": 1}
    scan(workers[2:])
    assert len(loaded) == 3
    assert [each.served for each in workers] == [{"iris": 2}] * 3


def test_what_one_refuses_none_serves_and_the_rest_goes_on(
    own: Path, links: Links, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = [Worker(own, links.join()) for _ in range(3)]
    load = golden.load_proven
    turn: list[int] = []

    def loading(directory: Path, threads: int = 1) -> Any:
        if turn[-1] == 1 and directory.name == "2":
            raise ModelError("no memory is left")
        return load(directory, threads)

    monkeypatch.setattr(reload, "load_proven", loading)

    def scan_all(times: int) -> None:
        for _ in range(times):
            for number, worker in enumerate(workers):
                turn.append(number)
                worker.reloader.refresh()

    add(own, 2)
    scan_all(4)
    assert [each.served for each in workers] == [{"iris": 1}] * 3
    assert [each.reloader.refused for each in workers] == [{("iris", 2): "no memory is left"}] * 3
    refused = {"event": "reload", "model": "iris", "version": 2, "state": "refused"}
    assert lines(capfd) == [{**refused, "error": "no memory is left"}]

    add(own, 3)
    add(own, 7, "another")
    scan_all(4)
    assert [each.served for each in workers] == [{"another": 7, "iris": 3}] * 3
    assert [line["version"] for line in lines(capfd)] == [7, 3]
    assert all(each.repository.versions("iris") == [1, 3] for each in workers)


def test_a_broken_version_is_logged_once_for_all(
    own: Path, workers: list[Worker], capfd: pytest.CaptureFixture[str]
) -> None:
    (add(own, 2) / "model.onnx").write_bytes(b"altered")
    scan(workers[::-1], 4)
    [line] = lines(capfd)
    assert (line["version"], line["state"]) == (2, "refused")
    (own / "iris" / "aliases.json").write_text("{")
    scan(workers, 4)
    [line] = lines(capfd)
    assert line["state"] == "refused"
    shutil.rmtree(own / "iris" / "2")
    (own / "iris" / "aliases.json").unlink()
    add(own, 3)
    scan(workers, 3)
    assert [each.served for each in workers] == [{"iris": 3}] * 3
    assert all(each.reloader.refused == {} for each in workers)


def test_removed_versions_go_from_all(own: Path, workers: list[Worker]) -> None:
    add(own, 2)
    scan(workers)
    shutil.rmtree(own / "iris" / "2")
    scan(workers, 1)
    workers[0].reloader.refresh()
    assert [each.served for each in workers] == [{"iris": 2}] * 3
    scan(workers, 1)
    assert [each.served for each in workers] == [{"iris": 1}] * 3


def test_aliases_switch_for_all(own: Path, workers: list[Worker]) -> None:
    add(own, 2)
    scan(workers)
    (own / "iris" / "aliases.json").write_text('{"stable": 1, "next": 2}')
    scan(workers, 1)
    scan(workers[1:], 1)
    assert [each.served for each in workers] == [{"iris": 2}] * 3
    scan(workers[:1], 1)
    assert [each.served for each in workers] == [{"iris": 1}] * 3
    assert all(each.repository.choose("iris", "next").version == 2 for each in workers)


def test_one_that_starts_begins_with_what_the_others_serve(
    own: Path, links: Links, workers: list[Worker]
) -> None:
    (add(own, 2) / "golden.json").write_bytes(b"altered")  # which a start would not notice
    scan(workers, 3)
    links.end(workers[1].link)
    again = Worker(own, links.join(1))
    assert again.served == {"iris": 1}
    assert again.repository.versions("iris") == [1]
    scan([workers[0], again, workers[2]], 3)
    assert [each.served for each in (workers[0], again)] == [{"iris": 1}] * 2
    assert again.reloader.refused.keys() == {("iris", 2)}
    add(own, 3)
    scan([workers[0], again, workers[2]])
    assert [each.served for each in (workers[0], again)] == [{"iris": 3}] * 2


def test_one_that_starts_while_the_others_are_about_to_switch(
    own: Path, links: Links, workers: list[Worker]
) -> None:
    add(own, 2)
    scan(workers[:2])
    links.end(workers[2].link)  # the last one to prove it: now all have
    assert [each.served for each in workers[:2]] == [{"iris": 2}] * 2
    again = Worker(own, links.join(2))
    assert again.served == {"iris": 2}

    add(own, 3)
    scan(workers[:2])
    assert workers[0].served == {"iris": 2}
    scan([again])
    assert [each.served for each in (*workers[:2], again)] == [{"iris": 3}] * 3


def test_what_was_agreed_on_before_one_could_serve_it_is_taken_at_its_next_scan(
    own: Path, links: Links, workers: list[Worker]
) -> None:
    """Others agree while a worker that starts is about to propose what they have served."""
    late = workers[2]
    late.link.proposals.clear()
    add(own, 2)
    scan(workers[:2])
    assert [each.served for each in workers] == [{"iris": 2}, {"iris": 2}, {"iris": 1}]
    scan([late])
    assert late.served == {"iris": 2}


def test_of_those_that_start_together_the_first_counts(own: Path, links: Links) -> None:
    one, two = links.join(), links.join()
    late = SharedModels(two)
    first = Worker(own, one)
    add(own, 2)
    repository = Repository(own, begin=late.begin)
    late.start(repository)
    assert first.served == repository.catalogue.served == {"iris": 1}


def test_a_version_that_is_gone_or_another_one_by_now_stops_a_start(
    own: Path, links: Links, workers: list[Worker]
) -> None:
    with altered_manifest(own / "iris" / "1") as manifest:
        manifest["description"] = "another"
    with pytest.raises(ModelError, match=r"model iris/1: it was altered since others"):
        Worker(own, links.join())
    shutil.move(own / "iris" / "1", own / "iris" / "2")
    with pytest.raises(ModelError, match=r"model iris/1: it is not there any more"):
        Worker(own, links.join())
    links.living = links.living[:3]
    scan(workers, 4)
    assert Worker(own, links.join()).served == {"iris": 2}


def test_the_same_version_with_other_content_switches_all(own: Path, workers: list[Worker]) -> None:
    manifest = own / "iris" / "1" / "manifest.json"
    before = [each.repository.choose("iris") for each in workers]
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**content, "description": "another"}))
    scan(workers[:2], 3)
    assert [each.repository.choose("iris") for each in workers] == before
    scan(workers[2:], 2)
    for worker in workers:
        assert worker.repository.choose("iris").manifest["description"] == "another"


def test_another_version_whose_content_changes_is_loaded_anew_by_all(
    own: Path, workers: list[Worker]
) -> None:
    add(own, 2)
    scan(workers)
    assert all(each.repository.choose("iris", 1).manifest for each in workers[:2])
    with altered_manifest(own / "iris" / "1") as manifest:
        manifest["description"] = "another"
    scan(workers[:2], 3)
    scan(workers[2:], 2)
    for worker in workers:
        assert worker.repository.choose("iris", 1).manifest["description"] == "another"


def test_versions_that_requests_have_named_stay_loaded(own: Path, workers: list[Worker]) -> None:
    for version in (2, 3):
        add(own, version)
    scan(workers)
    asked = workers[0].repository.choose("iris", 1)
    scan(workers, 2)
    add(own, 4)
    scan(workers)
    assert workers[0].repository.choose("iris", 1) is asked
    assert ("iris", 3) not in workers[0].repository.catalogue.loaded


def test_a_description_is_equal_for_equal_catalogues(own: Path, links: Links) -> None:
    worker = Worker(own, links.join())
    agreed = links.agreed["models"]
    [digest] = json.loads(agreed)["iris"]["versions"].values()
    assert json.loads(agreed) == {"iris": {"served": 1, "versions": {"1": digest}, "aliases": {}}}
    manifest = own / "iris" / "1" / "manifest.json"
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(content, indent=7))  # the same, in another form
    scan([worker])
    assert links.agreed["models"] == agreed
    manifest.write_text(json.dumps({**content, "version": 1}))
    scan([worker])
    assert links.agreed["models"] != agreed
