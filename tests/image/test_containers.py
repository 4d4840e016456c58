"""Containers of the image: they answer as a user of no rights, from a disk that is read-only."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Client, started, stop_server, through_socket
from tests.edge.forward.endpoint import wait_until
from tests.function.serving.test_predict import HOUSE
from tests.image.conftest import Image, Podman

pytestmark = pytest.mark.image

OPEN = ("-e", "ONNXLET_DEVICE_OPEN=yes")
CONFINED = (
    "--read-only", "--read-only-tmpfs=false", "--cap-drop=all",
    "--security-opt=no-new-privileges",
)  # fmt: skip
KEYS = "me:2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683"  # of the word "key"
COMMAND = ["/usr/bin/python3.13", "-IS", "/opt/onnxlet"]
BODY = json.dumps([HOUSE]).encode()
HEAD = (
    f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BODY)}\r\n"
    "Content-Type: application/json\r\n\r\n"
).encode()


@pytest.fixture(scope="module")
def loaded(podman: Podman, native: Image) -> str:
    """The image's name; it is in Docker's form."""
    podman("pull", "-q", f"docker-archive:{native.file}")
    return "localhost/onnxlet:latest"


@pytest.fixture(scope="module")
def only(podman: Podman, without_models: Image) -> str:
    """The name of the image without models."""
    podman("load", "-q", "-i", without_models.file)
    return "localhost/only:latest"


def client(port: int) -> Client:
    return Client(through_socket(port))


def golden(models: Path) -> tuple[Any, Any]:
    told = json.loads((models / "house-prices" / "1" / "golden.json").read_text())
    return told["instances"], told["answers"]["prediction"]


def test_it_answers_as_at_its_build(podman: Podman, loaded: str, house_prices: Path) -> None:
    rows, answers = golden(house_prices)
    with podman.running(*CONFINED, *OPEN, loaded) as (name, port):
        ask = client(port)
        got = ask.post("/models/house-prices/predict", {"instances": rows})
        assert got.json()["prediction"] == pytest.approx(answers, rel=1e-9)
        assert ask.get("/ping").status == 200
        got = ask.post("/invocations", {"instances": rows[:1]})  # SageMaker's
        assert got.json()["predictions"] == pytest.approx(answers[:1], rel=1e-9)
        assert ask.get("/v2/models/house-prices/ready").status == 200  # KServe's
        assert ask.post("/models/house-prices/explain", {"instances": [HOUSE]}).status == 200
        assert b"onnxlet_requests_total" in ask.get("/metrics").body
        assert ask.get("/").status == 200
        told = podman("top", name, "user", "pid").stdout.split()
        assert told[2:] == ["onnxlet", "1"]
        log = [json.loads(line) for line in podman("logs", name).stderr.splitlines()]
        assert {line["status"] for line in log} == {200}


def test_nothing_was_written(podman: Podman, loaded: str) -> None:
    with podman.running(*OPEN, loaded) as (name, port):
        assert client(port).post("/predict", [HOUSE]).status == 200
        changed = podman("diff", name).stdout.split()[1::2]
    assert [path for path in changed if not path.startswith(("/etc", "/dev", "/run"))] == []


@pytest.mark.parametrize("user", ["1234567:0", "0:0"], ids=["OpenShift's", "root"])
def test_other_users_can_run_it(podman: Podman, loaded: str, user: str) -> None:
    with podman.running(*CONFINED, *OPEN, "--user", user, loaded) as (_, port):
        assert client(port).post("/predict", [HOUSE]).status == 200


def test_without_keys_or_the_word_open_it_does_not_start(podman: Podman, loaded: str) -> None:
    done = podman("run", "--rm", "--network=host", "-e", "PORT=0", loaded, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: listening on 0.0.0.0, others than this machine could ask")
    assert "ONNXLET_DEVICE_OPEN=yes" in done.stderr
    assert "Traceback" not in done.stderr

    with podman.running("-e", f"ONNXLET_API_KEYS={KEYS}", loaded) as (_, port):
        assert client(port).post("/predict", [HOUSE]).status == 401
        assert client(port).post("/predict", [HOUSE], {"X-API-Key": "key"}).status == 200
        assert client(port).get("/v2/health/ready").status == 200


def test_a_port_that_is_none_is_reported(podman: Podman, loaded: str) -> None:
    done = podman("run", "--rm", "--network=host", *OPEN, "-e", "PORT=http", loaded, check=False)
    assert done.returncode == 1
    assert "expected a port from 0 to 65535, got 'http'" in done.stderr


def test_the_health_check_is_in_dockers_form_only(
    podman: Podman, native: Image, loaded: str
) -> None:
    [told] = json.loads(podman("image", "inspect", loaded).stdout)
    assert told["Config"]["Entrypoint"] == COMMAND
    assert told["Healthcheck"]["Test"] == ["CMD", *COMMAND, "health"]
    with podman.running(*OPEN, loaded) as (name, _):
        podman("healthcheck", "run", name)
        assert podman("ps", "--format", "{{.Status}}").stdout.strip().endswith("(healthy)")

    podman("rmi", "-f", loaded)
    podman("load", "-i", native.file)  # which takes OCI's form
    [told] = json.loads(podman("image", "inspect", loaded).stdout)
    podman("rmi", "-f", loaded)
    podman("pull", "-q", f"docker-archive:{native.file}")
    assert "Healthcheck" not in told
    assert told["Config"]["Entrypoint"] == COMMAND


def begin(connection: socket.socket) -> None:
    """Send the beginning of a request, by a connection that is known to be answered.

    One that was not accepted yet would be reset by the end of what listens.
    """
    connection.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
    assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    connection.sendall(HEAD + BODY[:20])
    time.sleep(1)


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_lets_what_is_in_flight_finish(podman: Podman, loaded: str, workers: int) -> None:
    several = ("-e", f"ONNXLET_DEVICE_WORKERS={workers}")
    with podman.running(*CONFINED, *OPEN, *several, loaded) as (name, port):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            begin(connection)
            podman("kill", "--signal=TERM", name)
            time.sleep(0.3)
            connection.sendall(BODY[20:])
            received = b""
            while part := connection.recv(65536):
                received += part
        assert received.startswith(b"HTTP/1.1 200 ")
        assert podman("wait", name).stdout.split() == ["0"]


def test_a_second_sigterm_ends_it_at_once(podman: Podman, loaded: str) -> None:
    """The kernel spares a container's first process, which has to end by itself."""
    with (
        podman.running(*OPEN, loaded) as (name, port),
        socket.create_connection(("127.0.0.1", port), timeout=20) as connection,
    ):
        begin(connection)
        podman("kill", "--signal=TERM", name)
        time.sleep(0.5)
        assert podman("ps", "-q").stdout, "it waits for the rest"
        podman("kill", "--signal=TERM", name)
        assert podman("wait", name).stdout.split() == ["143"]


def test_sigterm_ends_it_while_it_starts(podman: Podman, loaded: str) -> None:
    """Its first process takes no signal that it has not asked for; it asks before it imports."""
    program = (
        "import sys, time; sys.path.insert(0, '/opt/onnxlet');"
        "from onnxlet.edge.service.process import begin; begin();"
        "print('begun', flush=True); time.sleep(500)"
    )
    run = ("run", "-d", "--entrypoint", '["/usr/bin/python3.13", "-IS", "-c"]', loaded, program)
    name = podman(run[0], "--network=host", *run[1:]).stdout.strip()
    wait_until(lambda: "begun" in podman("logs", name).stdout)
    podman("kill", "--signal=TERM", name)
    assert podman("wait", name).stdout.split() == ["143"]
    podman("rm", name)


@pytest.mark.parametrize("place", ["/opt/ml/model", "/mnt/models", "/opt/onnxlet/models"])
def test_models_come_by_a_volume(place: str, podman: Podman, only: str, house_prices: Path) -> None:
    volume = ("-v", f"{house_prices}:{place}:ro")
    with podman.running(*CONFINED, *OPEN, *volume, only, "serve") as (_, port):
        assert client(port).post("/models/house-prices/predict", [HOUSE]).status == 200


def test_without_any_model_it_says_so(podman: Podman, only: str) -> None:
    done = podman("run", "--rm", "--network=host", *OPEN, "-e", "PORT=0", only, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: no models in /opt/onnxlet/models")
    assert "Traceback" not in done.stderr


def test_what_is_kept_goes_to_a_volume(podman: Podman, loaded: str) -> None:
    keep = ("-e", "ONNXLET_KEEP=/var/lib/onnxlet/kept.db", "-v", "kept:/var/lib/onnxlet")
    with podman.running(*CONFINED, *OPEN, *keep, loaded) as (_, port):
        assert client(port).post("/predict", [HOUSE], {"X-Request-Id": "one"}).status == 200
        told = {"truth": [{"id": "one", "row": 0, "value": 150_000}]}
        got = client(port).post("/truth", told)
        assert got.status == 200, got.body


def test_both_architectures_in_one_list(podman: Podman, native: Image, other: Image) -> None:
    podman("manifest", "create", "both")
    for image in (native, other):
        podman("manifest", "add", "both", f"oci-archive:{image.file}")
    told = json.loads(podman("manifest", "inspect", "both").stdout)
    assert {each["platform"]["architecture"] for each in told["manifests"]} == {"amd64", "arm64"}
    podman("manifest", "rm", "both")


def test_the_other_architecture_answers_emulated(
    other: Image, house_prices: Path, tmp_path: Path
) -> None:
    root = other.unpacked(tmp_path / "root")
    rows, answers = golden(house_prices)
    emulated = [f"qemu-{other.arch}", "-L", str(root), f"{root}{COMMAND[0]}", "-IS"]
    server = started([*emulated, f"{root}{COMMAND[2]}", "serve"], {"PORT": "0"}, tmp_path / "log")
    try:
        got = client(server.port).post("/models/house-prices/predict", {"instances": rows})
        assert got.json()["prediction"] == pytest.approx(answers, rel=1e-9)
    finally:
        assert stop_server(server) == 0
