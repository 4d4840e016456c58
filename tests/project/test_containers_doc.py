"""docs/how-to/containers.md: its files set what is read, and ask routes that are there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from onnxlet.convert.bundle.commands import package
from onnxlet.convert.bundle.image import ROOT as BUNDLE
from onnxlet.convert.bundle.image import run_config
from onnxlet.convert.bundle.image_layer import USER
from onnxlet.convert.bundle.image_system import UNUSED
from onnxlet.edge.service.process import PLACES, PORTS
from onnxlet.edge.settings.device import DeviceSettings
from onnxlet.function.settings import Settings
from tests.conftest import app_of, ran
from tests.project.containers_doc import TEXT, blocks, objects, task_and_model


def secrets() -> dict[tuple[str, str], str]:
    """What the commands put into Kubernetes' secrets, by name and key."""
    found: dict[tuple[str, str], str] = {}
    for block in blocks("sh"):
        if "kubectl create secret" in block:
            told = ran(["sh", "-c", f'kubectl() {{ echo kubectl "$@"; }}\nREADER=r\n{block}'])
            assert told.returncode == 0, told.stderr
            name = re.findall(r"^kubectl create secret generic (\S+) ", told.stdout)[0]
            literals = re.findall(r"--from-literal=(\w+)=(\S+)", told.stdout)
            found |= {(name, key): value for key, value in literals}
    return found


def secret(told: Mapping[str, Any]) -> str:
    """The value of a variable that comes out of a secret."""
    if "valueFrom" not in told or isinstance(told["valueFrom"], str):  # another platform's
        return f"me:{'0' * 64}"
    of = told["valueFrom"]["secretKeyRef"]
    return secrets()[of["name"], of["key"]]


def values(told: Any, name: str) -> Iterator[Any]:
    """Everything of this name, however deep."""
    if isinstance(told, Mapping):
        for key, value in told.items():
            if key == name:
                yield value
            yield from values(value, name)
    elif isinstance(told, list):
        for each in told:
            yield from values(each, name)


def environments() -> list[dict[str, str]]:
    """What each file sets."""
    task, model = task_and_model()
    named = [*values(objects(), "env"), *values(task, "secrets")]
    found = [{n["name"]: n.get("value") or secret(n) for n in env} for env in named]
    return [*found, *values(model, "Environment")]


def test_each_file_sets_what_is_read_and_who_may_ask() -> None:
    found = environments()
    assert len(found) == 5
    for environ in found:
        settings = Settings.from_environ(environ)
        assert DeviceSettings.from_environ(environ).open or settings.api_keys, environ


def test_a_reader_key_is_prometheus() -> None:
    [environ] = [each for each in environments() if "ONNXLET_READER_KEYS" in each]
    assert [*Settings.from_environ(environ).reader_keys] == ["prometheus"]
    [text] = [block for block in blocks("yaml") if "scrape_configs" in block]
    [job] = yaml.safe_load(text)["scrape_configs"]
    file = Path(job["authorization"]["credentials_file"])
    assert (file.parent.name, file.name) in secrets()


def test_a_service_sets_nothing_in_its_pods() -> None:
    """Kubernetes would name variables after the Service, in the form of our own settings."""
    pods = [*values(objects(), "template"), *values(objects(), "predictor")]
    pods = [each.get("spec", each) for each in pods if "containerConcurrency" not in str(each)]
    assert [each["enableServiceLinks"] for each in pods] == [False, False]


def test_probes_ask_routes_that_answer_without_a_key(models: Path) -> None:
    probes = [each["httpGet"] for name in PROBES for each in values(objects(), name)]
    assert len(probes) == 7
    client = app_of(models, api_keys={"me": b"0" * 32}).test_client()
    for probe in probes:
        assert probe["port"] in (8080, "http")
        assert client.get(probe["path"]).status_code == 200, probe
    assert client.get("/ping").status_code == 200


PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def test_every_port_and_the_time_to_end() -> None:
    task, _ = task_and_model()
    assert set(values([*objects(), task], "containerPort")) == {8080}
    assert run_config("3.13")["ExposedPorts"] == {"8080/tcp": {}}
    longest = Settings().max_seconds
    assert all(each > longest for each in values(objects(), "terminationGracePeriodSeconds"))
    assert all(each > longest for each in values(task, "stopTimeout"))


def test_what_it_says_of_a_container() -> None:
    for word in (*PORTS, *PLACES, str(USER), f"/{BUNDLE}"):
        assert f"`{word}`" in TEXT or word == str(USER), word
    assert f"| {USER}; " in TEXT
    options = {name for option in package.params for name in option.opts}
    listed = re.findall(r"^\| (`--[^|]+) \|", TEXT, re.MULTILINE)
    named = {name for cell in listed for name in re.findall(r"(--[a-z-]+)", cell)}
    assert named <= options
    assert "--no-models" in named


def test_it_lists_the_rules() -> None:
    rows = re.findall(r"^\| (`.*?`) \| (.*) \|$", TEXT.split("left out;")[1], re.MULTILINE)
    told = [(tuple(re.findall("`(.*?)`", patterns)), reason) for patterns, reason in rows]
    assert told == [(rule.patterns, rule.reason) for rule in UNUSED]
