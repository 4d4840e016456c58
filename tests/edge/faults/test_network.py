"""Names that nobody resolves, and peers that are gone without a word: on real networks.

Each fault is tried without what is there against it, too, and then seen to last.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from socket import SO_RCVBUF, SOL_SOCKET, create_connection

import pytest

from onnxlet.edge.device.slots import DevicePaths, live_slot
from onnxlet.edge.forward import https
from onnxlet.edge.forward.queue import Batch
from onnxlet.edge.settings.device import ForwardOptions
from onnxlet.edge.update.errors import Unreachable
from onnxlet.edge.update.fetch import Web, download
from tests.conftest import (
    ROOT,
    Client,
    Server,
    begun,
    ran,
    start_server,
    stop_server,
    through_socket,
)
from tests.edge.certificates import Pair, make_pair
from tests.edge.faults.network import NAME, WORLD, Names, Network, network
from tests.edge.faults.test_dripping import NEVER, OVER_SECONDS, STILL_SECONDS, goes_on
from tests.edge.forward.endpoint import Endpoint, listening, wait_until
from tests.edge.mqtt.broker import Broker, Peer
from tests.edge.mqtt.test_mqtt import ids_by_reading, logged
from tests.edge.service.test_serve import CLEAN
from tests.edge.update.test_fetching import CONTENT, Serve
from tests.function.serving.test_predict import SHOP

pytestmark = pytest.mark.faults
P = "ONNXLET_DEVICE_"
NO_NAME = "Temporary failure in name resolution"
BATCH = Batch("key", b'{"records": [1]}', 1)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make_pair(tmp_path_factory.mktemp("pair"), names=("localhost", NAME))


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Network]:
    with network(tmp_path) as net:
        yield net


@pytest.fixture
def endpoint(net: Network, pair: Pair) -> Iterator[Endpoint]:
    with listening(pair, WORLD, NAME) as endpoint:
        yield endpoint


@pytest.fixture
def broker(net: Network, pair: Pair, tmp_path: Path) -> Iterator[Broker]:
    (tmp_path / "broker").mkdir()
    broker = Broker(tmp_path / "broker", pair, address="0.0.0.0")
    broker.url = f"mqtts://{NAME}:{broker.port}"
    broker.start()
    yield broker
    broker.end()


@pytest.fixture
def peer(broker: Broker) -> Iterator[Peer]:
    peer = Peer(broker, "answers", "answers/status")
    yield peer
    peer.end()


def serve_there(net: Network, models: Path, endpoint: Endpoint, pair: Pair, folder: Path) -> Server:
    """A device that forwards to the endpoint."""
    forward = {"URL": endpoint.url, "CA": str(pair.certificate), "SECONDS": "1"}
    variables = {f"{P}FORWARD_{name}": value for name, value in forward.items()}
    variables |= {f"{P}QUEUE": str(folder / "queue.db")}
    with net.at("device"):
        return start_server(models, {**CLEAN, **variables}, folder / "log", net.with_names([]))


def ask(net: Network, server: Server) -> int:
    """The status that a client on the device gets."""
    with net.at("device"):
        client = Client(through_socket(server.port))
        return client.post("/models/shop/predict", [SHOP]).status


def cut_and_say(net: Network, mood: str) -> str:
    """What an endpoint says as the network goes: it was heard, and is not."""
    net.cut()
    return mood


def check_whole(endpoint: Endpoint, count: int) -> None:
    """So many have arrived, none twice, and in their order."""
    wait_until(lambda: len(endpoint.records) >= count, 60)
    numbers = [record["sequence"] for record in endpoint.records]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == count


def test_without_names_records_wait(
    net: Network, models: Path, endpoint: Endpoint, pair: Pair, tmp_path: Path
) -> None:
    names = Names()
    server = serve_there(net, models, endpoint, pair, tmp_path)
    try:
        assert ask(net, server) == 200
        check_whole(endpoint, 1)
        names.close()
        assert [ask(net, server) for _ in range(5)] == [200] * 5
        wait_until(lambda: NO_NAME in (tmp_path / "log").read_text())
        assert len(endpoint.records) == 1
        names = Names()
        check_whole(endpoint, 6)
        wait_until(lambda: '"state":"sending"' in (tmp_path / "log").read_text())
    finally:
        names.close()
        assert stop_server(server) == 0


def test_without_names_an_update_says_so_and_nothing_changes(
    net: Network, paths: DevicePaths, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "edge", "update", f"https://{NAME}/2.zip"]
    with net.at("device"):
        done = ran(net.with_names([*command, "--root", str(paths.root)]), env=CLEAN, timeout=120)
    assert done.returncode == 1
    assert f"2.zip.minisig can't be fetched: {NO_NAME}" in done.stderr
    assert "hint: Is it there, and is there a network?" in done.stderr
    assert "Traceback" not in done.stderr
    assert live_slot(paths) == "a"


def test_without_name_resolution_a_broker_is_retried(
    net: Network, broker: Broker, peer: Peer, tmp_path: Path
) -> None:
    process = answerer_there(net, broker, "well", tmp_path)
    names = None
    try:
        wait_until(lambda: bool(logged(tmp_path)))
        [line] = logged(tmp_path)
        assert (line["state"], NO_NAME in line["error"]) == ("lost", True)
        names = Names()
        peer.wait_for_state("online")
        peer.publish("readings/a", 0)
        wait_until(lambda: 0 in ids_by_reading(peer))

        names.close()
        broker.end()
        broker.start()
        peer.publish("readings/a", 1, wait=False)
        time.sleep(2)
        assert set(ids_by_reading(peer)) == {0}
        names = Names()
        wait_until(lambda: 1 in ids_by_reading(peer))
    finally:
        process.kill()
        process.wait()
        if names:
            names.close()


def answerer_there(net: Network, broker: Broker, how: str, folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.edge.mqtt.answerer", broker.url, str(broker.ca), how]
    with net.at("device"), (folder / "log").open("wb") as log:
        return subprocess.Popen(
            net.with_names(command), cwd=ROOT, env=CLEAN, stdout=log, stderr=log
        )


def test_a_download_whose_server_vanishes_is_given_up_and_gone_on_with(
    net: Network, serve: Serve, tmp_path: Path
) -> None:
    url, source = serve(host=WORLD, drops=True)
    (source.folder / "file").write_bytes(CONTENT[:400])
    part, web = tmp_path / "part", Web(insecure=True, timeout=1, attempts=2, pause=0.1)

    def fetch() -> str:
        with net.at("device"):
            try:
                download(f"{url}/file", part, 400, web)
            except Unreachable as error:
                return error.message
        return "whole"

    with ThreadPoolExecutor(1) as pool:
        fetching = pool.submit(fetch)
        wait_until(lambda: part.is_file() and part.stat().st_size > 3)
        net.cut()
        assert "file can't be fetched: TimeoutError timed out" in fetching.result(60)
    there = part.stat().st_size
    assert there < 400
    net.mend()
    source.drops = False
    assert fetch() == "whole"
    assert part.read_bytes() == CONTENT[:400]
    assert source.asked[-1][1] == f"bytes={there}-"


def test_without_a_timeout_a_download_whose_server_vanishes_goes_on(
    net: Network, serve: Serve, tmp_path: Path
) -> None:
    url, _ = serve(host=WORLD, drops=True)
    part, web = tmp_path / "part", Web(insecure=True, timeout=NEVER, attempts=1)

    def fetch() -> None:
        with net.at("device"):
            download(f"{url}/file", part, len(CONTENT), web)

    def cut() -> None:
        wait_until(lambda: part.is_file() and part.stat().st_size > 3)
        net.cut()

    with ThreadPoolExecutor(1) as pool:
        cutting = pool.submit(cut)
        assert goes_on(fetch)
        cutting.result(60)
    assert part.stat().st_size < 1000


@pytest.mark.parametrize("patience", [1, NEVER])
def test_a_batch_whose_acknowledgement_never_comes_is_given_up(
    net: Network, patience: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The endpoint has it and says so, and nothing gets through any more."""
    monkeypatch.setattr(https, "TIMEOUT_SECONDS", patience)
    with listening(None, WORLD) as endpoint:
        endpoint.mood = partial(cut_and_say, net, "ok")
        send = https.transport(ForwardOptions(endpoint.url))

        def send_there() -> None:
            with net.at("device"):
                send(BATCH)

        never = patience == NEVER
        assert goes_on(send_there, STILL_SECONDS if never else OVER_SECONDS) == never
        assert len(endpoint.batches) == 1


def test_what_was_sent_as_the_network_went_arrives_once(
    net: Network, models: Path, endpoint: Endpoint, pair: Pair, tmp_path: Path
) -> None:
    names = Names()
    server = serve_there(net, models, endpoint, pair, tmp_path)
    try:
        endpoint.mood = partial(cut_and_say, net, "ok")
        assert ask(net, server) == 200
        wait_until(lambda: len(endpoint.tries) == 1)
        endpoint.behave()
        assert [ask(net, server) for _ in range(5)] == [200] * 5
        wait_until(lambda: "timed out" in (tmp_path / "log").read_text())
        net.mend()
        check_whole(endpoint, 6)
        assert endpoint.tries[0] == endpoint.tries[1], "the same batch, by the same key"
    finally:
        names.close()
        assert stop_server(server) == 0


@pytest.mark.parametrize("keepalive", [2, NEVER])
@pytest.mark.parametrize("fault", ["vanishes", "hangs"])
def test_a_broker_that_is_gone_without_a_word_is_noticed(
    net: Network, broker: Broker, peer: Peer, tmp_path: Path, fault: str, keepalive: float
) -> None:
    names = Names()
    process = answerer_there(net, broker, f"{keepalive:.0f}", tmp_path)
    try:
        peer.wait_for_state("online")
        peer.publish("readings/a", 0)
        wait_until(lambda: 0 in ids_by_reading(peer))
        net.cut() if fault == "vanishes" else broker.send_signal(signal.SIGSTOP)
        end = time.monotonic() + (10 if keepalive == NEVER else OVER_SECONDS)
        while time.monotonic() < end and logged(tmp_path)[-1]["state"] != "lost":
            time.sleep(0.1)
        states = [line["state"] for line in logged(tmp_path)]
        net.mend() if fault == "vanishes" else broker.send_signal(signal.SIGCONT)
        # With two seconds, a busy machine may have lost it before, too.
        assert states == ["answering"] if keepalive == NEVER else states[-1] == "lost"
        peer.publish("readings/a", 1)
        wait_until(lambda: 1 in ids_by_reading(peer), 60)
    finally:
        process.kill()
        process.wait()
        names.close()


SHEDDING = """
import sys, threading, time
from pathlib import Path
from onnxlet.edge.server import connections
from onnxlet.edge.command_line import main
all_came, stalled, kept = Path(sys.argv.pop(1)), float(sys.argv.pop(1)), float(sys.argv.pop(1))
connections.STALLED_SECONDS = connections.KEPT_SECONDS = 3600.0

def shed():
    while not all_came.exists():
        time.sleep(0.05)
    connections.STALLED_SECONDS, connections.KEPT_SECONDS = stalled, kept

threading.Thread(target=shed, daemon=True).start()
main(prog_name="edge")
"""
PING = b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n"
PAGES = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 90  # megabytes that nobody takes
HEAD = b"POST /models/shop/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n"


@pytest.mark.parametrize(("stalled", "kept"), [(2, 4), (NEVER, NEVER)])
def test_clients_that_vanish_do_not_pile_up(
    net: Network, models: Path, tmp_path: Path, stalled: float, kept: float
) -> None:
    """In the middle of a request, between two, and before they take a large answer."""
    options = ["serve", "--models", str(models), "--host", WORLD, "--port", "0", "--open"]
    all_came = tmp_path / "all came"  # until then none is closed, however long that takes
    command = [sys.executable, "-c", SHEDDING, str(all_came), str(stalled), str(kept), *options]
    environ = {**CLEAN, "ONNXLET_MAX_IN_FLIGHT": "4"}
    with (tmp_path / "log").open("wb") as log:
        process = begun(command, env=environ, stderr=log)
    clients = []
    try:
        assert process.stdout
        port = int(process.stdout.readline().split(":")[2].split()[0])
        before = sockets(process.pid)
        with net.at("device"):
            for number in range(60):
                client = create_connection((WORLD, port), timeout=10)
                client.setsockopt(SOL_SOCKET, SO_RCVBUF, 2048)
                clients.append(client)
                client.sendall((HEAD, PING, PAGES)[number % 3])
            for client in clients[1::3]:
                assert client.recv(100).startswith(b"HTTP/1.1 200")
        assert sockets(process.pid) >= before + 60
        net.cut()
        all_came.touch()
        client_here = Client(through_socket(port, WORLD))
        wait_until(lambda: client_here.post("/models/shop/predict", [SHOP]).status == 200)
        end = time.monotonic() + (10 if stalled == NEVER else OVER_SECONDS)
        while time.monotonic() < end and sockets(process.pid) > before + 1:
            time.sleep(0.2)
        assert (sockets(process.pid) <= before + 1) == (stalled != NEVER)
    finally:
        for client in clients:
            client.close()
        process.kill()
        process.communicate()


def sockets(process: int) -> int:
    """How many a process has open."""
    found = 0
    for each in Path(f"/proc/{process}/fd").iterdir():
        with suppress(OSError):
            found += str(each.readlink()).startswith("socket:")
    return found
