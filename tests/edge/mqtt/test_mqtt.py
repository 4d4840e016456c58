"""Readings over a real broker: with TLS and a password, restarts, kills, poison and a flood."""

from __future__ import annotations

import gc
import gzip
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from onnxlet.edge.forward import mqtt
from onnxlet.edge.forward.forwarder import Forwarder, open_queue
from onnxlet.edge.forward.queue import Batch
from onnxlet.edge.forward.records import Clock, record
from onnxlet.edge.forward.sender import DeliveryResult, Sender
from onnxlet.edge.mqtt.readings import request_id
from onnxlet.edge.mqtt.service import Responder
from onnxlet.edge.net.mqtt_link import Address, Link, LinkLost
from onnxlet.edge.settings.device import ForwardOptions
from onnxlet.function.errors import ModelError
from onnxlet.function.settings import Settings
from tests.conftest import ran
from tests.edge.certificates import Pair
from tests.edge.forward.endpoint import listening, wait_until
from tests.edge.mqtt.broker import PASSWORD, USER, Broker, Peer
from tests.edge.mqtt.conftest import P, Start, set_for
from tests.edge.mqtt.test_readings import reading
from tests.edge.service.test_serve import CLEAN
from tests.edge.service.test_watchdog import Listener
from tests.function.serving.test_predict import SHOP

OPEN = Path("/proc/self/fd")  # files and sockets of this process


@pytest.fixture
def peer(broker: Broker) -> Iterator[Peer]:
    peer = Peer(broker, "answers", "answers/status", "mine/#")
    yield peer
    peer.end()


def logged(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "log").read_text().splitlines()
    return [json.loads(line) for line in lines if '"event":"mqtt"' in line]


def test_readings_are_answered_by_a_model(
    models: Path, broker: Broker, peer: Peer, start: Start, tmp_path: Path
) -> None:
    with listening(None) as endpoint:
        forward = {"FORWARD_URL": endpoint.url, "QUEUE": str(tmp_path / "queue.db")}
        process = start(
            "edge", "mqtt", "--models", str(models),
            **set_for(broker, FORWARD_SECONDS="1", **forward),
        )  # fmt: skip
        peer.wait_for_state("online")
        peer.publish(
            "readings/a", {"instances": [SHOP]}, UserProperty=[("request-id", "pump-7/1")],
            ResponseTopic="mine/1", CorrelationData=b"\0\1",
        )  # fmt: skip
        [answer] = peer.wait_for(1, "mine/1")
        body = {"model": "shop", "version": 1, "prediction": [True]}
        assert {**body, **answer.json()} == answer.json()
        assert answer.correlation == b"\0\1"
        assert answer.content_type == "application/json"
        assert answer.user == {"request-id": "pump-7/1", "status": "200"}

        peer.publish("readings/a", [SHOP, {**SHOP, "count": "many"}])
        peer.publish("readings/a", b"no JSON \xff")
        peer.publish("readings/a", {"instances": [SHOP], "model": "shop"}, qos=0)
        wrong, nonsense, plain = peer.wait_for(3, "answers")
        assert (wrong.user["status"], nonsense.user["status"]) == ("422", "400")
        assert wrong.content_type == nonsense.content_type == "application/problem+json"
        assert [(e["row"], e["column"]) for e in wrong.json()["errors"]] == [(1, "count")]
        assert plain.json() == answer.json()

        wait_until(lambda: len(endpoint.records) == 2)
        assert endpoint.records[0]["prediction"]["id"] == "pump-7/1"
    process.terminate()
    assert process.wait(60) == 0
    last = peer.wait_for_state("offline")
    assert last == {"state": "offline", "answered": 2, "refused": 2, "unwanted": 0, "dropped": 0}
    assert [line["state"] for line in logged(tmp_path)] == ["answering"]


def test_a_reading_that_comes_again_is_answered_again_and_kept_once(
    models: Path, tmp_path: Path
) -> None:
    sent: list[Any] = []
    answered = threading.Event()  # until then the first record is still in the queue

    def take(batch: Batch) -> DeliveryResult:
        assert answered.wait(60)
        sent.extend(json.loads(batch.body)["records"])
        return DeliveryResult("arrived")

    options = ForwardOptions("https://x", seconds=0.5, queue=tmp_path / "queue.db")
    forward = Forwarder(options, take, Clock("boot"))
    forward.start()
    answering = Responder(models, Settings(models, reload_seconds=0), forward, "shop")
    message = reading(json.dumps({"instances": [SHOP]}).encode())
    first = answering.answer(message)
    message.dup = True
    again = answering.answer(message)
    answering.answer(reading(bytes(message.payload), number=2))
    answered.set()
    wait_until(lambda: len(sent) == 2)
    forward.stop()

    assert first == again
    assert first[:2] == (200, "application/json")
    assert sent[0]["prediction"]["id"] == request_id(message) != sent[1]["prediction"]["id"]


def test_the_model_that_is_set_answers_readings_that_name_none(models: Path) -> None:
    answering = Responder(models, Settings(models, reload_seconds=0), None, "shop")
    for body, status, says in (
        ({"instances": [SHOP]}, 200, {"model": "shop"}),
        ({"instances": [[5.1, 3.5, 1.4, 0.2]], "model": "iris"}, 200, {"model": "iris"}),
        ({"instances": [SHOP], "model": "shpo"}, 404, {"detail": "no model 'shpo'"}),
    ):
        got, _, content = answering.answer(reading(json.dumps(body).encode()))
        assert got == status, content
        assert json.loads(content) | says == json.loads(content)


def test_a_model_that_is_not_served_is_refused(models: Path) -> None:
    with pytest.raises(ModelError, match="no model 'shpo'") as refused:
        Responder(models, Settings(models, reload_seconds=0), None, "shpo")
    assert "ONNXLET_DEVICE_MQTT_MODEL" in refused.value.hint


def answerer(start: Start, broker: Broker, how: str = "well") -> subprocess.Popen[bytes]:
    return start("tests.edge.mqtt.answerer", broker.url, str(broker.ca), how)


def ids_by_reading(peer: Peer) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for message in list(peer.messages):
        if message.topic == "answers":
            reported = message.json()
            found.setdefault(reported["of"], set()).add(reported["id"])
    return found


@pytest.mark.long
def test_poison_is_answered_and_the_next_reading_too(
    broker: Broker, peer: Peer, start: Start
) -> None:
    """Answers that would be readings, topics that are none, and far too many bytes."""
    process = answerer(start, broker)
    peer.wait_for_state("online")
    for number, wish in enumerate(("readings/a", "readings/b/c")):
        peer.publish("readings/a", number, ResponseTopic=wish)
    peer.publish("readings/a", json.dumps("x" * 1_030_000).encode())
    peer.publish("readings/a", json.dumps("x" * 2_000_000).encode())
    peer.publish("readings/a", 2)

    wait_until(lambda: {0, 1, 2} <= {m.json()["of"] for m in peer.wait_for(3, "answers")})
    assert len(peer.wait_for(4, "answers")) == 4
    assert process.poll() is None


@pytest.mark.faults
def test_killed_at_random_every_reading_is_answered(
    broker: Broker, peer: Peer, start: Start
) -> None:
    kill_often(broker, peer, start, "well", kills=6)
    wait_until(lambda: set(ids_by_reading(peer)) == set(range(150)))

    ids = ids_by_reading(peer)
    assert all(len(each) == 1 for each in ids.values()), "answered again, it has the same id"
    assert len({name for each in ids.values() for name in each}) == 150


@pytest.mark.faults
def test_it_finds_readings_that_are_acknowledged_too_early(
    broker: Broker, peer: Peer, start: Start
) -> None:
    kill_often(broker, peer, start, "early", kills=6)
    peer.publish("readings/a", 150)
    wait_until(lambda: 150 in ids_by_reading(peer))
    assert set(range(150)) - set(ids_by_reading(peer)), "all that came before is answered or lost"


def kill_often(broker: Broker, peer: Peer, start: Start, how: str, kills: int) -> None:
    """150 readings while the process is killed; then it runs until nothing comes any more."""
    chance = random.Random(1)  # noqa: S311 - seeded, to come again
    process = answerer(start, broker, how)
    peer.wait_for_state("online")
    readings = iter(range(150))
    for turn in range(kills):
        for _ in range(25):
            peer.publish("readings/a", next(readings), wait=False)
        if turn % 2:  # else, on a busy machine, none may have come to it yet
            wait_until(lambda turn=turn: max(ids_by_reading(peer), default=-1) >= 25 * turn)  # type: ignore[misc]
        time.sleep(chance.uniform(0.0, 0.06))
        process.kill()
        process.wait()
        peer.wait_for_state("offline")
        process = answerer(start, broker, how)
        peer.wait_for_state("online")


@pytest.mark.long
@pytest.mark.parametrize(
    "how", [pytest.param(signal.SIGTERM, marks=pytest.mark.faults), signal.SIGKILL]
)
def test_a_broker_that_starts_again_loses_nothing(
    broker: Broker, peer: Peer, start: Start, tmp_path: Path, how: int
) -> None:
    process = answerer(start, broker)
    peer.wait_for_state("online")
    for part in range(3):
        if part < 2:
            process.send_signal(signal.SIGSTOP)  # with some of what came before in its hands
        for number in range(part * 30, part * 30 + 30):
            peer.publish("readings/a", number)
        if part < 2:
            broker.save()
            broker.end(how)
            process.send_signal(signal.SIGCONT)
            broker.start()
            wait_until(lambda: peer.is_connected)
    wait_until(lambda: set(ids_by_reading(peer)) == set(range(90)))
    process.terminate()

    assert process.wait(60) == 0
    states = Counter(line["state"] for line in logged(tmp_path))
    assert states["answering"] >= 2
    assert 1 <= states["lost"] <= 3


@pytest.mark.faults
def test_a_flood_is_dropped_oldest_first_and_what_is_promised_is_answered(
    broker: Broker, peer: Peer, start: Start
) -> None:
    process = answerer(start, broker)
    peer.wait_for_state("online")
    for number in range(3000):
        peer.publish("readings/a", number, qos=0, wait=False)
        if number % 30 == 29:
            peer.publish("readings/a", 10_000 + number, wait=False)
    promised = {10_000 + number for number in range(29, 3000, 30)}
    wait_until(lambda: promised <= set(ids_by_reading(peer)), 120)
    process.terminate()
    assert process.wait(60) == 0
    reported = peer.wait_for_state("offline")
    fleeting = [number for number in ids_by_reading(peer) if number < 10_000]

    assert reported["dropped"] > 1000
    assert reported["answered"] >= len(fleeting) + len(promised)
    assert max(fleeting) > 2900, "the newest is answered"


@pytest.mark.long
def test_the_broker_publishes_that_a_killed_process_is_gone(
    broker: Broker, peer: Peer, start: Start
) -> None:
    process = answerer(start, broker)
    peer.wait_for_state("online")
    process.kill()
    assert peer.wait_for_state("offline") == {"state": "offline"}
    late = Peer(broker, "answers/status", name="late")
    assert late.wait_for(1)[0].retain
    late.end()


def test_a_broker_that_refuses_is_logged_once_and_retried(
    models: Path, broker: Broker, start: Start, tmp_path: Path
) -> None:
    wrong = {"MQTT_PASSWORD": "no"}
    process = start("edge", "mqtt", "--models", str(models), **set_for(broker, **wrong))
    wait_until(lambda: bool((tmp_path / "log").exists() and logged(tmp_path)))
    time.sleep(1.5)
    process.terminate()

    assert process.wait(60) == 0
    [line] = logged(tmp_path)
    assert line["state"] == "lost"
    assert "Not authorized" in line["error"]


@pytest.mark.long
def test_systemd_is_notified_while_there_is_no_broker(
    models: Path, start: Start, tmp_path: Path
) -> None:
    listener = Listener(str(tmp_path / "notify"))
    variables = {"MQTT_URL": "mqtt://localhost:1", "MQTT_READINGS": "r", "MQTT_ANSWERS": "a"}
    process = start(
        "edge", "mqtt", "--models", str(models), **variables,
        NOTIFY_SOCKET=listener.address, WATCHDOG_USEC="4000000",
    )  # fmt: skip
    assert listener.next(60) == "READY=1"
    assert [listener.next() for _ in range(4)] == ["WATCHDOG=1"] * 4
    process.send_signal(signal.SIGSTOP)
    time.sleep(0.1)
    listener.drain()
    assert listener.next(2.5) == ""
    process.send_signal(signal.SIGCONT)
    assert listener.next() == "WATCHDOG=1"
    listener.socket.close()


def test_garbage_is_collected_while_it_serves(models: Path) -> None:
    code = (
        "import gc; from onnxlet.edge.mqtt.service import MqttService; "
        "MqttService.run = lambda self: print('enabled', gc.isenabled()); "
        "from onnxlet.edge.command_line import main; main()"
    )
    set_to = {f"{P}MQTT_URL": "mqtt://localhost:1", f"{P}MQTT_READINGS": "r"}
    done = ran(
        [sys.executable, "-c", code, "mqtt", "--models", str(models)],
        env={**CLEAN, **set_to, f"{P}MQTT_ANSWERS": "a"},
    )
    assert done.stdout == "enabled True\n", done.stderr


def test_what_lacks_ends_with_1_and_no_traceback() -> None:
    failed = ran([sys.executable, "-m", "edge", "mqtt"], env=CLEAN)
    assert failed.returncode == 1
    assert "ONNXLET_DEVICE_MQTT_URL: expected mqtts://HOST, got nothing" in failed.stderr
    assert "hint: docs/reference/settings.md" in failed.stderr
    assert "Traceback" not in failed.stderr


BATCH = Batch("the key", b'{"records": [1]}', 1)


# paho leaves a socket whose handshake failed to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_batches_go_by_a_topic(broker: Broker, peer: Peer) -> None:
    options = ForwardOptions(f"{broker.url}/mine/records", PASSWORD, USER, broker.ca)
    send = mqtt.transport(options)

    assert send(BATCH).state == "arrived"
    [message] = peer.wait_for(1, "mine/records")
    assert message.user == {"Idempotency-Key": "the key", "Content-Encoding": "gzip"}
    assert message.content_type == "application/json"
    nobody = mqtt.transport(options._replace(url=f"{broker.url}/nobody"))
    assert nobody(BATCH) == DeliveryResult("failed", "nobody subscribes to the topic")
    assert mqtt.transport(options._replace(key="wrong"))(BATCH).state == "failed"
    assert mqtt.transport(options._replace(ca=None))(BATCH).state == "failed"
    broker.end()
    assert send(BATCH).state == "failed"
    gc.collect()  # here, where it is passed over, and not in whatever test comes next


def test_batches_that_the_broker_does_not_take_are_refused(tmp_path: Path, pair: Pair) -> None:
    broker = Broker(tmp_path, pair, "max_packet_size 2000")
    broker.start()
    options = ForwardOptions(f"{broker.url}/mine", PASSWORD, USER, broker.ca)
    large = BATCH._replace(body=os.urandom(5000))
    try:
        assert mqtt.transport(options)(large) == DeliveryResult(
            "refused", "the broker takes 2000 bytes at most"
        )
    finally:
        broker.end()


@pytest.mark.skipif(not OPEN.exists(), reason="only Linux lists them")
def test_a_connection_that_is_lost_leaves_nothing_open() -> None:
    def lost(url: str) -> str:
        try:
            Link(Address(url, "", "", None), "x").open(resume=False)
        except LinkLost as error:
            return str(error)
        return ""

    def leave(listener: socket.socket) -> None:
        for _ in range(times):
            listener.accept()[0].close()

    times = 20
    gc.collect()
    gc.disable()  # a service that connects again and again must not depend on it
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url, before = f"mqtt://127.0.0.1:{listener.getsockname()[1]}", len(list(OPEN.iterdir()))
            leaving = threading.Thread(target=leave, args=(listener,))
            leaving.start()
            for _ in range(times):
                assert lost(url)
            leaving.join()
            # Each left two. What else runs in this process may have opened some.
            assert len(list(OPEN.iterdir())) < before + times
    finally:
        gc.enable()


@pytest.mark.parametrize(("code", "state"), [(0x95, "refused"), (0x97, "failed")])
def test_a_broker_that_leaves_since_a_packet_is_too_large_is_understood(
    code: int, state: str
) -> None:
    """As some brokers that do not announce their limit."""

    def leave(listener: socket.socket) -> None:
        with listener.accept()[0] as connection:
            connection.recv(1000)
            connection.sendall(b"\x20\x03\x00\x00\x00")  # CONNACK
            connection.recv(1000)
            connection.sendall(bytes([0xE0, 2, code, 0]))  # DISCONNECT
            connection.recv(1000)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        leaving = threading.Thread(target=leave, args=(listener,))
        leaving.start()
        port = listener.getsockname()[1]
        outcome = mqtt.transport(ForwardOptions(f"mqtt://127.0.0.1:{port}/mine"))(BATCH)
        leaving.join()
    assert outcome.state == state


@pytest.mark.parametrize("limit", ["max_packet_size 2000", "message_size_limit 1500"])
def test_batches_are_halved_until_the_broker_takes_them(
    tmp_path: Path, pair: Pair, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says how large a packet may be, or refuses what is larger; nothing is set aside."""
    broker = Broker(tmp_path, pair, limit)
    broker.start()
    peer = Peer(broker, "mine")
    options = ForwardOptions(
        f"{broker.url}/mine", PASSWORD, USER, broker.ca, queue=tmp_path / "queue.db"
    )
    clock, random_names = Clock("boot"), [os.urandom(100).hex() for _ in range(20)]
    queue = open_queue(options, clock)
    queue.add([record("prediction", name, [name], clock) for name in random_names])

    def arrived() -> list[str]:
        batches = [json.loads(gzip.decompress(each.payload)) for each in list(peer.messages)]
        return [each["prediction"][0] for batch in batches for each in batch["records"]]

    sender = Sender(
        partial(open_queue, options, clock), mqtt.transport(options), tmp_path / "lock", 0.02
    )
    try:
        sender.start()
        wait_until(lambda: queue.totals().sent == 20)
        wait_until(lambda: len(arrived()) == 20)  # in as many halves as random texts need
    finally:
        sender.stop()
        queue.close()
        peer.end()
        broker.end()
    assert arrived() == random_names
    keys = [each.user["Idempotency-Key"] for each in peer.messages]
    assert len(set(keys)) == len(keys) >= 2
