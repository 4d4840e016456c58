"""Versions by name, and pins: which version answers, in every protocol, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onnxlet.edge.reload.reloader import Reloader
from onnxlet.edge.service.app import make_app
from onnxlet.edge.service.secret import Secret
from onnxlet.edge.service.self_check import SelfCheck
from onnxlet.function.app import SERVICE
from onnxlet.function.aws.native_events import warm_up
from onnxlet.function.errors import ModelError, SettingsError, UnknownModel
from onnxlet.function.models.repository import Repository
from onnxlet.function.settings import Settings
from tests.conftest import app_of
from tests.edge.reload.test_reload import add, lines, look, rewrite_golden
from tests.function.altered import altered_manifest

ROW = [5.1, 3.5, 1.4, 0.2]


@pytest.fixture
def own(own: Path) -> Path:
    """Versions 2 and 3 beside it."""
    for version in (2, 3):
        add(own, version)
    return own


def name(own: Path, aliases: object, model: str = "iris") -> None:
    """Write a model's aliases, in one step as an editor does."""
    beside = own / model / "aliases.json.new"
    beside.write_text(aliases if isinstance(aliases, str) else json.dumps(aliases))
    beside.rename(own / model / "aliases.json")


def client(own: Path, **settings: Any) -> Any:
    return app_of(own, **settings).test_client()


# Which version answers


def test_stable_is_served_where_no_version_is_named(own: Path) -> None:
    name(own, {"stable": 2, "canary": 3})
    repository = Repository(own)

    assert [each.version for each in repository.models] == [2]
    assert repository.choose().version == 2
    assert repository.choose("iris", "canary").version == 3
    assert repository.choose("iris", "stable") is repository.choose("iris", 2)
    assert repository.versions("iris") == [1, 2, 3]
    with pytest.raises(UnknownModel, match="no version 'Canary' of model 'iris'") as refused:
        repository.choose("iris", "Canary")
    assert refused.value.hint == "There are versions 1, 2, 3 and canary, stable."


def test_a_pin_goes_before_stable(own: Path) -> None:
    name(own, {"stable": 2, "canary": 3})

    assert Repository(own, pins={"iris": "1"}).choose().version == 1
    assert Repository(own, pins={"iris": "canary"}).choose().version == 3
    assert Repository(own, pins={"iris": "1"}).choose("iris", "stable").version == 2


INPUTS = [{"name": "input", "shape": [1, 4], "datatype": "FP64", "data": ROW}]
BODIES: dict[str, Any] = {"predict": {"instances": [ROW]}, "infer": {"inputs": INPUTS}}
ASKED = {
    "native": ("POST", "/models/iris/versions/{}/predict", "version"),
    "explain": ("POST", "/models/iris/versions/{}/explain", "version"),
    "described": ("GET", "/models/iris?version={}", "version"),
    "v2": ("POST", "/v2/models/iris/versions/{}/infer", "model_version"),
    "v2 ready": ("GET", "/v2/models/iris/versions/{}/ready", None),
    "v2 metadata": ("GET", "/v2/models/iris/versions/{}", None),
    "v2 statistics": ("GET", "/v2/models/iris/versions/{}/stats", "model_stats"),
    "v1": ("POST", "/v1/models/iris/versions/{}:predict", None),
    "v1 status": ("GET", "/v1/models/iris/versions/{}", "model_version_status"),
    "v1 metadata": ("GET", "/v1/models/iris/versions/{}/metadata", "model_spec"),
}


@pytest.mark.parametrize("route", ASKED)
def test_an_alias_stands_where_a_version_does(own: Path, route: str) -> None:
    name(own, {"stable": 2, "canary": 3})
    asking = client(own)
    method, path, member = ASKED[route]
    body = BODIES["infer" if path.endswith("infer") else "predict"] if method == "POST" else None

    for version, number in (("canary", 3), ("stable", 2), ("1", 1)):
        got = asking.open(path.format(version), method=method, json=body)
        assert got.status_code == 200, got.get_data()
        if member is not None:  # the answer bears the number
            told = got.get_json()[member]
            told = told[0] if isinstance(told, list) else told
            told = told["version"] if isinstance(told, dict) else told
            assert str(told) == str(number)
    for version in ("beta", "4", "02"):
        assert asking.open(path.format(version), method=method, json=body).status_code == 404


UNNAMED = {
    "native": ("/predict", BODIES["predict"], "version"),
    "by name": ("/models/iris/predict", BODIES["predict"], "version"),
    "v2": ("/v2/models/iris/infer", BODIES["infer"], "model_version"),
}


@pytest.mark.parametrize("route", UNNAMED)
def test_without_a_version_every_protocol_has_the_same(own: Path, route: str) -> None:
    name(own, {"stable": 2})
    path, body, member = UNNAMED[route]

    assert str(client(own).post(path, json=body).get_json()[member]) == "2"
    pinned = client(own, pins={"iris": "1"})
    assert str(pinned.post(path, json=body).get_json()[member]) == "1"


def test_what_is_served_is_described_in_the_same_way_everywhere(own: Path) -> None:
    name(own, {"stable": 2, "canary": 3})
    asking = client(own, pins={"iris": "stable"})
    [described] = asking.get("/models").get_json()["models"]

    assert described["version"] == 2
    assert described["versions"] == [1, 2, 3]
    assert described["aliases"] == {"canary": 3, "stable": 2}
    assert described["pin"] == "stable"
    assert asking.get("/models/iris").get_json() == described
    metadata = asking.get("/v2/models/iris").get_json()
    assert metadata["versions"] == ["1", "2", "3"]
    assert metadata["parameters"]["aliases"] == {"canary": 3, "stable": 2}
    index = asking.post("/v2/repository/index").get_json()
    assert [each["version"] for each in index] == ["1", "2", "3"]
    [count] = asking.get("/v2/models/stats").get_json()["model_stats"]
    assert count["version"] == "2"
    document = asking.get("/openapi.json").get_json()
    assert "/models/iris/versions/2/predict" in document["paths"]
    [query] = document["paths"]["/models/iris"]["get"]["parameters"]
    assert query["schema"]["enum"] == [1, 2, 3, "canary", "stable"]


def test_without_aliases_and_pins_nothing_is_said_of_them(own: Path) -> None:
    assert not {"aliases", "pin"} & client(own).get("/models/iris").get_json().keys()


def test_graphs_may_be_left_to_the_first_requests(own: Path) -> None:
    name(own, {"stable": 2})
    (own / "iris" / "3" / "model.onnx").write_bytes(b"broken")
    repository = Repository(own, lazy=True)

    assert repository.choose().version == 2
    assert "_session" not in vars(repository.choose())


def test_only_the_served_version_has_to_load(own: Path) -> None:
    (own / "iris" / "3" / "model.onnx").write_bytes(b"broken")
    name(own, {"stable": 2})

    assert client(own).post("/predict", json=[ROW]).status_code == 200
    with pytest.raises(ModelError, match="iris/3"):
        Repository(own, pins={"iris": "3"})


# What is refused

BROKEN: dict[str, tuple[object, str]] = {
    "no JSON": ("{", "aliases.json: expected JSON"),
    "empty": ("", "aliases.json: expected JSON"),
    "no object": ([1], "expected an object, got a list"),
    "a version that is away": (
        {"stable": 4},
        "'stable': expected a version that is there (1, 2, 3), got 4",
    ),
    "a number for a name": ({"2": 2}, "'2': expected a word that is no number"),
    "no word": ({"a/b": 2}, "'a/b': expected a word"),
    "dots": ({"..": 2}, "'..': expected a word"),
    "nothing": ({"": 2}, "'': expected a word"),
    "a line": ({"a\n": 2}, "expected a word"),
    "nested": ({"stable": {"version": 2}}, "expected the number of a version, got an object"),
    "text": ({"stable": "2"}, "expected the number of a version, got a string"),
    "a boolean": ({"stable": True}, "expected the number of a version, got a boolean"),
    "a fraction": ({"stable": 2.0}, "expected the number of a version, got 2.0"),
    "null": ({"stable": None}, "expected the number of a version, got null"),
    "too large": ('{"stable": 2}' + " " * 100_000, "expected at most 100000 bytes"),
    "several": ({"a b": 2, "stable": 9}, "'a b': expected a word that is no number and can be"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_aliases_that_can_t_be_used_stop_the_start(own: Path, fault: str) -> None:
    aliases, reason = BROKEN[fault]
    name(own, aliases)
    with pytest.raises(ModelError) as refused:
        Repository(own)

    assert refused.value.message.startswith("model iris: aliases.json: ")
    assert reason in refused.value.message
    assert '{"stable": 2}' in refused.value.hint
    assert str(own) not in refused.value.message


def test_all_that_is_wrong_is_said_at_once(own: Path) -> None:
    name(own, {"a b": 2, "stable": 9})
    with pytest.raises(ModelError, match=r"'a b': .*; 'stable': "):
        Repository(own)


def test_pins_of_what_is_away_stop_the_start_with_the_list(own: Path) -> None:
    shutil.copytree(own / "iris" / "1", own / "other" / "1")
    name(own, {"stable": 2})
    pins = {"iris": "4", "other": "stable", "third": "1"}
    with pytest.raises(ModelError) as refused:
        Repository(own, pins=pins)

    assert refused.value.message.split("; ") == [
        "ONNXLET_SERVE=iris=4: no version 4",
        "there are versions 1, 2, 3 and stable",
        "ONNXLET_SERVE=other=stable: no alias stable",
        "there is version 1",
        "ONNXLET_SERVE=third=1: no such model",
        "there are iris, other",
    ]


def test_the_variable_is_read(own: Path) -> None:
    def read(text: str) -> dict[str, str]:
        return dict(Settings.from_environ({"ONNXLET_SERVE": text}).pins)

    assert read("") == {}
    assert read("churn=2, prices=stable,") == {"churn": "2", "prices": "stable"}
    for wrong in (
        "churn",
        "churn=",
        "=2",
        "churn=02",
        "churn=0",
        "churn=a/b",
        "churn=2=3",
        "a b=2",
    ):
        with pytest.raises(SettingsError, match="ONNXLET_SERVE: expected MODEL=VERSION"):
            read(wrong)
    with pytest.raises(SettingsError, match="'churn' stands there twice"):
        read("churn=2,churn=3")


# While it is served


@pytest.fixture
def started(own: Path) -> Callable[..., tuple[Repository, Reloader]]:
    def start(aliases: object = None, **more: Any) -> tuple[Repository, Reloader]:
        if aliases is not None:
            name(own, aliases)
        repository = Repository(own, **more)
        return repository, Reloader(repository)

    return start


Start = Callable[..., tuple[Repository, Reloader]]


def test_aliases_are_switched_without_a_restart(
    own: Path, started: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    repository, reloader = started({"stable": 2})
    name(own, {"stable": 3, "before": 2})
    look(reloader, 1)
    assert repository.choose().version == 2
    look(reloader, 1)

    assert repository.choose().version == 3
    assert repository.choose("iris", "before").version == 2
    assert lines(capfd) == [
        {"event": "reload", "model": "iris", "version": 3, "state": "served"},
        {
            "event": "reload",
            "model": "iris",
            "aliases": {"before": 2, "stable": 3},
            "state": "served",
        },
    ]
    (own / "iris" / "aliases.json").unlink()
    look(reloader)
    assert repository.aliases("iris") == {}
    assert repository.choose().version == 3


def test_a_new_version_waits_behind_stable(own: Path, started: Start) -> None:
    repository, reloader = started({"stable": 2})
    add(own, 4)
    look(reloader)

    assert repository.choose().version == 2
    assert repository.versions("iris") == [1, 2, 3, 4]
    assert repository.choose("iris", 4).version == 4
    name(own, {"stable": 4})
    look(reloader)
    assert repository.choose().version == 4


def test_broken_aliases_are_refused_once_and_the_old_ones_go_on(
    own: Path, started: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    repository, reloader = started({"stable": 2})
    name(own, {"stable": 7})
    look(reloader, 4)

    assert repository.choose("iris", "stable").version == 2
    assert repository.choose().version == 2
    [line] = lines(capfd)
    assert line["state"] == "refused"
    assert line["error"].startswith("model iris: aliases.json: 'stable': expected a version")
    add(own, 7)  # it comes later
    look(reloader)
    assert repository.choose().version == 7


def test_stable_is_not_switched_to_what_answers_otherwise(
    own: Path, started: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    repository, reloader = started({"stable": 2})
    broken = own / "iris" / "4"
    shutil.copytree(own / "iris" / "1", broken)
    (broken / "model.onnx").write_bytes(b"no graph")
    name(own, {"stable": 4})
    look(reloader, 4)

    assert repository.choose().version == 2
    assert repository.aliases("iris") == {"stable": 2}
    assert [line["state"] for line in lines(capfd)] == ["refused", "refused"]
    assert list(reloader.refused) == [("iris", 4)]


@pytest.mark.parametrize(
    ("aliases", "pins"), [({"stable": 2}, {}), (None, {"iris": "2"})], ids=["stable", "pin"]
)
def test_what_is_named_is_served_from_memory_when_it_is_removed(
    own: Path,
    started: Start,
    capfd: pytest.CaptureFixture[str],
    aliases: object,
    pins: dict[str, str],
) -> None:
    repository, reloader = started(aliases, pins=pins)
    served = repository.choose()
    shutil.rmtree(own / "iris" / "2")
    look(reloader, 4)

    assert repository.choose() is served
    assert repository.versions("iris") == [1, 2, 3]
    [line] = lines(capfd)
    assert line["state"] == "refused"
    assert "2" in line["error"]
    shutil.rmtree(own / "iris" / "1")  # others are forgotten
    look(reloader)
    assert repository.versions("iris") == [2, 3]
    shutil.copytree(own / "iris" / "3", own / "iris" / "2")  # it comes back
    look(reloader)
    assert repository.choose() is not served
    assert repository.choose().version == 2
    shutil.rmtree(own / "iris")  # a model that is removed is removed
    look(reloader)
    assert repository.names == []


def test_a_pin_by_alias_follows_the_file(
    own: Path, started: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    repository, reloader = started({"live": 2}, pins={"iris": "live"})
    name(own, {"live": 3})
    look(reloader)
    assert repository.choose().version == 3
    (own / "iris" / "aliases.json").unlink()
    look(reloader, 3)

    assert repository.choose().version == 3
    assert [line.get("error") for line in lines(capfd)][2:] == [
        "ONNXLET_SERVE=iris=live: no alias live; there are versions 1, 2, 3"
    ]


def test_a_new_model_is_not_served_by_another_version_than_its_aliases_say(
    own: Path, started: Start
) -> None:
    repository, reloader = started()
    shutil.copytree(own / "iris", own / "new")
    look(reloader, 1)
    name(own, {"stable": 1}, "new")
    look(reloader, 1)
    assert "new" not in repository.names
    look(reloader, 1)

    assert repository.choose("new").version == 1


def test_memory_of_what_was_stable_is_given_back(own: Path, started: Start) -> None:
    repository, reloader = started({"stable": 2})
    name(own, {"stable": 3})
    look(reloader)
    look(reloader)

    assert list(repository.catalogue.loaded) == [("iris", 3)]


def wrong(golden: dict[str, Any]) -> None:
    """Answers that the model does not give, in files that are what their manifest says."""
    golden["answers"]["prediction"] = [1 - each for each in golden["answers"]["prediction"]]


@pytest.mark.parametrize("asked", [False, True])
def test_a_version_that_somebody_asked_for_has_proven_nothing_by_that(
    own: Path, started: Start, asked: bool
) -> None:
    repository, reloader = started({"stable": 3})
    add(own, 4)
    rewrite_golden(own / "iris" / "4", wrong)
    look(reloader, 3)
    if asked:
        assert repository.choose("iris", 4).version == 4
        look(reloader, 2)
    name(own, {"stable": 4})
    look(reloader, 3)

    assert repository.choose().version == 3
    assert "golden rows are answered differently" in reloader.refused["iris", 4]
    (own / "iris" / "aliases.json").unlink()
    look(reloader, 3)
    assert repository.choose().version == 3


def test_a_reload_that_clients_will_notice_says_so(
    own: Path, started: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    _, reloader = started()
    add(own, 4)
    with altered_manifest(own / "iris" / "4") as manifest:
        manifest["task"] = "other"
    look(reloader)

    [line] = lines(capfd)
    assert line == {
        "event": "reload",
        "model": "iris",
        "version": 4,
        "state": "served",
        "breaking": ["task: classification becomes other"],
    }


# Two folders, as a device has them


def test_of_two_folders_the_second_one_s_aliases_count(own: Path, tmp_path: Path) -> None:
    name(own, {"stable": 1, "slot": 1})
    updates = tmp_path / "updates"
    shutil.copytree(own / "iris" / "1", updates / "iris" / "4")
    name(updates, {"stable": 2, "new": 4})
    repository = Repository(own, updates=updates)

    assert repository.choose().version == 2
    assert repository.aliases("iris") == {"new": 4, "stable": 2}
    assert repository.choose("iris", "new").version == 4


def test_a_slot_s_stable_gives_way_to_a_higher_update(own: Path, tmp_path: Path) -> None:
    name(own, {"stable": 2, "slot": 2})
    updates = tmp_path / "updates"
    shutil.copytree(own / "iris" / "1", updates / "iris" / "1")
    repository = Repository(own, updates=updates)
    reloader = Reloader(repository)
    assert repository.choose().version == 2
    shutil.copytree(own / "iris" / "1", updates / "iris" / "4")
    look(reloader)

    for each in (repository, Repository(own, updates=updates)):
        assert each.choose().version == 4
        assert each.aliases("iris") == {"slot": 2, "stable": 4}
    shutil.rmtree(updates / "iris" / "4")  # as a rollback does
    look(reloader)
    assert repository.choose().version == 2
    (updates / "iris" / "5").mkdir()
    shutil.copy(own / "iris" / "1" / "manifest.json", updates / "iris" / "5")
    assert Repository(own, updates=updates).choose().version == 2


def test_broken_aliases_of_an_update_are_passed_over_at_the_start(
    own: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    name(own, {"stable": 1})
    updates = tmp_path / "updates"
    (updates / "iris").mkdir(parents=True)
    name(updates, {"stable": 9})

    assert Repository(own, updates=updates).choose().version == 1
    [line] = lines(capfd)
    assert (line["event"], line["state"]) == ("start", "refused")
    assert "got 9" in line["error"]


def test_an_update_that_is_stable_and_broken_is_passed_over(
    own: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    updates = tmp_path / "updates"
    shutil.copytree(own / "iris" / "1", updates / "iris" / "4")
    (updates / "iris" / "4" / "model.onnx").write_bytes(b"torn")
    name(updates, {"stable": 4})

    assert Repository(own, updates=updates).choose().version == 3
    assert [line["state"] for line in lines(capfd)] == ["refused", "refused"]


class Inside:
    """A connection to an app in this process, as `self_check.SelfCheck` uses it."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.paths: list[str] = []

    def request(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> None:
        self.paths.append(path)
        self._got = self._client.open(path, method=method, data=body, headers=headers)
        self.status = self._got.status_code

    def getresponse(self) -> Inside:
        return self

    def read(self) -> bytes:
        return bytes(self._got.get_data())


def test_the_watchdog_and_metrics_use_what_is_served(own: Path) -> None:
    name(own, {"stable": 2})
    app = make_app(own, settings=Settings(own, reload_seconds=0))
    repository, inside = app.extensions[SERVICE].repository, Inside(app.test_client())
    metrics = app.test_client().get("/metrics").get_data(as_text=True)

    assert 'onnxlet_model_version{model="iris"} 2.0' in metrics
    assert warm_up(app.extensions[SERVICE]) == ["iris"]
    assert SelfCheck(repository, lambda: inside, Secret()).every() == ""  # type: ignore[arg-type, return-value] # as it uses one
    assert inside.paths == ["/models/iris/versions/2/predict"]
