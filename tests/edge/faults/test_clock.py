"""Clocks that say 1970 or 2040, and jump: what counts is monotonic, and dates are reported."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from socket import create_connection
from typing import Any

import pytest

from onnxlet.edge.update.setup import Setup
from onnxlet.edge.update.status import release_of
from tests.conftest import (
    ROOT,
    Client,
    begun,
    ran,
    running_server,
    through_socket,
)
from tests.edge.certificates import Pair, make_pair
from tests.edge.faults.clock import IN_1970, IN_2040, RIGHT, WrongClock
from tests.edge.forward.endpoint import Endpoint, wait_until
from tests.edge.mqtt.broker import Broker, Peer
from tests.edge.mqtt.test_mqtt import ids_by_reading, logged
from tests.edge.service.test_serve import CLEAN
from tests.edge.service.test_watchdog import Listener
from tests.edge.update.test_fetching import HERE, Serve
from tests.function.serving.test_predict import SHOP

P = "ONNXLET_DEVICE_"


WHERE_TIME_IS_THE_CLOCK_S = """
import sys, time
if sys.argv.pop(1) == "wall":
    time.monotonic = time.time
from onnxlet.edge.command_line import main
main(prog_name="edge")
"""


@pytest.mark.faults
@pytest.mark.parametrize(("kind", "status"), [("monotonic", b"200"), ("wall", b"408")])
def test_a_clock_that_jumps_holds_up_nobody(
    models: Path, tmp_path: Path, kind: str, status: bytes
) -> None:
    """Half of a request, a jump of many years there and back, the other half."""
    clock, listener = WrongClock(tmp_path, IN_1970), Listener(str(tmp_path / "notify"))
    variables = {"NOTIFY_SOCKET": listener.address, "WATCHDOG_USEC": "2000000"}
    command = [sys.executable, "-c", WHERE_TIME_IS_THE_CLOCK_S, kind, "serve", "--port", "0"]
    with (tmp_path / "log").open("w") as log:
        process = begun(
            [*command, "--models", str(models)],
            env={**CLEAN, **clock.environ, **variables},
            stderr=log,
        )
    try:
        assert listener.next(60).startswith("READY=1")
        assert process.stdout
        port = int(process.stdout.readline().split(":")[2].split()[0])
        body = json.dumps({"instances": [SHOP]}).encode()
        head = (
            f"POST /models/shop/predict HTTP/1.1\r\nHost: [::1]\r\nContent-Length: {len(body)}\r\n"
        )
        with create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n")
            for year in (IN_1970, IN_2040, IN_1970):
                clock.say(year)
                time.sleep(1.2)  # sweeps of connections, golden rows, words to systemd
            connection.sendall(body)
            assert connection.recv(65536).split(b" ")[1] == status
        listener.drain()
        assert listener.next() == "WATCHDOG=1" or kind == "wall"
        assert "rror" not in (tmp_path / "log").read_text()
    finally:
        process.kill()
        process.communicate()
        listener.socket.close()


QUEUE = """
import json, sys, time
from pathlib import Path
from onnxlet.edge.forward.queue import Queue
from onnxlet.edge.forward.records import Clock, record
folder, kind, *offsets = sys.argv[1:]
clock = Clock("boot", time.time_ns if kind == "wall" else time.monotonic_ns)
queue = Queue(Path(folder, "queue.db"), clock, 10**7, 86_400)
years = []
for number, offset in enumerate(offsets):
    Path(folder, "clock").write_text(offset)
    years.append(time.gmtime().tm_year)
    queue.add([record("prediction", str(number), [number], clock)])
totals = queue.totals()
there = json.loads(queue.take().body)["records"]
found = [each["prediction"][0] for each in there], totals.dropped["age"], totals.oldest_seconds < 60
print(json.dumps([years, *found]))
"""


@pytest.mark.parametrize(
    ("kind", "expected"), [("monotonic", [[0, 1, 2, 3], 0, True]), ("wall", [[3, 2, 1], 1, True])]
)
def test_order_and_age_of_records_do_not_hang_on_the_clock(
    tmp_path: Path, kind: str, expected: list[Any]
) -> None:
    """Where they do, as in the second one, one is given up years too early, and others go first."""
    clock = WrongClock(tmp_path)
    command = [sys.executable, "-c", QUEUE, str(tmp_path), kind]
    done = ran(
        [*command, "+0", "+5000d", "-20400d", "-20401d"],
        env={**CLEAN, **clock.environ},
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    years, *found = json.loads(done.stdout)
    assert max(years) - min(years) > 60
    assert found == expected


TRUSTING = """
import sys
from pathlib import Path
from onnxlet.edge.net import http_client
from onnxlet.edge.forward import https
from onnxlet.edge.settings.device import ForwardOptions
from onnxlet.edge.forward.queue import Batch
url, ca, http_client.EPOCH = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
print(*https.transport(ForwardOptions(url, ca=ca))(Batch("key", b'{"records": [1]}', 1))[:2])
"""


@pytest.mark.parametrize(
    ("year", "epoch", "expected"),
    [
        (RIGHT, 2025, "arrived status 200"),
        (IN_1970, 2025, "arrived status 200"),
        (IN_2040, 2025, r"failed .*certificate has expired.*this machine's clock says 2040-03-01"),
        (IN_1970, 0, r"failed .*not yet valid.*this machine's clock says 1970-03-01"),
    ],
    ids=["right", "never set", "ahead", "never set, and dates looked at"],
)
def test_dates_of_a_collector_s_certificate(
    tmp_path: Path, pair: Pair, endpoint: Endpoint, year: int, epoch: int, expected: str
) -> None:
    command = [sys.executable, "-c", TRUSTING, endpoint.url, str(pair.certificate), str(epoch)]
    done = ran(command, env={**CLEAN, **WrongClock(tmp_path, year).environ}, timeout=200)
    assert re.fullmatch(expected, done.stdout.strip()), done.stdout + done.stderr


@pytest.mark.faults
def test_what_is_forwarded_arrives_once_the_clock_is_set(
    models: Path, tmp_path: Path, pair: Pair, endpoint: Endpoint
) -> None:
    """In 2040 the certificate has expired: this is logged, records wait, and go later."""
    clock = WrongClock(tmp_path, IN_2040)
    forward = {"URL": endpoint.url, "CA": str(pair.certificate), "SECONDS": "1"}
    variables = {f"{P}FORWARD_{name}": value for name, value in forward.items()}
    variables |= {f"{P}QUEUE": str(tmp_path / "queue.db")}
    with running_server(
        models, {**CLEAN, **clock.environ, **variables}, tmp_path / "log"
    ) as server:
        assert ask(server.port)
        wait_until(lambda: "certificate has expired" in (tmp_path / "log").read_text())
        assert "this machine's clock says 2040-03-01" in (tmp_path / "log").read_text()
        clock.say(RIGHT)
        assert ask(server.port)
        wait_until(lambda: len(endpoint.records) == 2, 60)
        clock.say(IN_1970)
        assert ask(server.port)
        wait_until(lambda: len(endpoint.records) == 3, 60)
        first, _, last = endpoint.records
        assert first["time_ms"] > last["time_ms"], "what it took the time for"
        assert first["monotonic_ms"] < last["monotonic_ms"]
        assert first["boot"] == last["boot"]


@pytest.mark.faults
def test_readings_are_answered_once_the_clock_is_set(tmp_path: Path, pair: Pair) -> None:
    clock = WrongClock(tmp_path, IN_2040)
    (tmp_path / "broker").mkdir()
    broker = Broker(tmp_path / "broker", pair)
    broker.start()
    peer = Peer(broker, "answers", "answers/status")
    command = [sys.executable, "-m", "tests.edge.mqtt.answerer", broker.url, str(broker.ca), "well"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**CLEAN, **clock.environ}, stdout=log, stderr=log
        )
    try:
        wait_until(lambda: bool(logged(tmp_path)))
        [line] = logged(tmp_path)
        assert line["state"] == "lost"
        assert "this machine's clock says 2040-03-01" in line["error"]
        for number, year in enumerate((RIGHT, IN_1970, IN_2040)):
            clock.say(year)
            peer.wait_for_state("online")
            peer.publish("readings/a", number)
            wait_until(lambda: set(ids_by_reading(peer)) == set(range(number + 1)))  # noqa: B023
    finally:
        process.kill()
        process.wait()
        peer.end()
        broker.end()


TAKING = """
import ssl, sys
from onnxlet.edge.update import fetch
if sys.argv.pop(1) == "dates":
    fetch.NO_DATES = ssl.VerifyFlags(0)
from onnxlet.edge.command_line import main
from onnxlet.commands import run
run(main, "python -m edge")
"""


@pytest.mark.faults
@pytest.mark.parametrize("how", ["no dates", "dates"])
@pytest.mark.parametrize("year", [IN_1970, IN_2040])
def test_a_release_is_taken_whatever_the_clock_says(
    serve: Serve, setup: Setup, archives: Callable[[int], Path], tmp_path: Path, year: int, how: str
) -> None:
    """Where dates are looked at, none is."""
    certificate = make_pair(tmp_path, names=[HERE], years=(2025, 2030))
    url, source = serve(certificate)
    for name in ("2.zip", "2.zip.minisig"):
        shutil.copy(archives(2).with_name(name), source.folder / name)
    variables = {**WrongClock(tmp_path, year).environ, "SSL_CERT_FILE": str(certificate[0])}
    command = [sys.executable, "-c", TAKING, how, "update", f"{url}/2.zip"]
    done = ran([*command, "--root", str(setup.paths.root)], env={**CLEAN, **variables}, timeout=120)
    assert (done.returncode, release_of(setup.paths.live)) == (
        (0, 2) if how == "no dates" else (1, 1)
    )
    assert "Traceback" not in done.stderr


def ask(port: int) -> bool:
    """Whether the server answers a prediction."""
    return Client(through_socket(port)).post("/models/shop/predict", [SHOP]).status == 200
