"""A broker, and processes that answer its readings."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.edge.certificates import Pair
from tests.edge.mqtt.broker import PASSWORD, USER, Broker
from tests.edge.service.test_serve import CLEAN

P = "ONNXLET_DEVICE_"
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def broker(tmp_path: Path, pair: Pair) -> Iterator[Broker]:
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = Broker(folder, pair)
    broker.start()
    yield broker
    broker.end()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a process whose log is `log`; none is left behind."""
    started: list[subprocess.Popen[bytes]] = []

    def run(*command: str, **environ: str) -> subprocess.Popen[bytes]:
        with (tmp_path / "log").open("ab") as log:
            started.append(
                subprocess.Popen(
                    [sys.executable, "-m", *command], cwd=ROOT, stdout=log, stderr=log,
                    env={**CLEAN, **{named(n): value for n, value in environ.items()}},
                )
            )  # fmt: skip
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait()


def named(name: str) -> str:
    """A variable of the device, or one that is called so everywhere."""
    elsewhere = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "ONNXLET_WATCH")
    return name if name in elsewhere else P + name


def set_for(broker: Broker, **more: str) -> dict[str, str]:
    return {
        "MQTT_URL": broker.url, "MQTT_USER": USER, "MQTT_PASSWORD": PASSWORD,
        "MQTT_CA": str(broker.ca), "MQTT_READINGS": "readings/+", "MQTT_ANSWERS": "answers",
        "MQTT_MODEL": "shop", "MQTT_RESPONSES": "mine/#", **more,
    }  # fmt: skip
