"""Batches over real HTTPS, and what becomes of them by what the endpoint says."""

from __future__ import annotations

import base64
import gzip
import json
import os
import socket
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from onnxlet.edge.forward import https, sender
from onnxlet.edge.forward.forwarder import open_queue, start
from onnxlet.edge.forward.https import status_outcome
from onnxlet.edge.forward.monitor import inspect
from onnxlet.edge.forward.queue import Batch, retry
from onnxlet.edge.forward.records import Clock, record
from onnxlet.edge.forward.sender import DeliveryResult, Sender, Transport, pause
from onnxlet.edge.settings.device import ForwardOptions
from onnxlet.function.errors import SettingsError
from tests.edge.certificates import Pair
from tests.edge.forward.endpoint import Endpoint, wait_until

BATCH = Batch("key", b'{"records": [1]}', 1)


@pytest.fixture
def options(endpoint: Endpoint, pair: Pair, tmp_path: Path) -> ForwardOptions:
    return ForwardOptions(
        endpoint.url, "secret", ca=pair.certificate, queue=tmp_path / "queue.db", seconds=0.02
    )


@pytest.mark.parametrize(
    ("status", "retry_after", "outcome"),
    [
        (200, "", DeliveryResult("arrived", "status 200")),
        (202, "9", DeliveryResult("arrived", "status 202")),
        (301, "", DeliveryResult("failed", "status 301")),
        (400, "", DeliveryResult("refused", "status 400")),
        (401, "", DeliveryResult("barred", f"status 401: {https.BARRED[401]}")),
        (403, "5", DeliveryResult("barred", f"status 403: {https.BARRED[403]}", 5.0)),
        (404, "", DeliveryResult("barred", f"status 404: {https.BARRED[404]}")),
        (407, "", DeliveryResult("barred", f"status 407: {https.BARRED[407]}")),
        (422, "", DeliveryResult("refused", "status 422")),
        (413, "9", DeliveryResult("refused", "status 413")),
        (408, "", DeliveryResult("failed", "status 408")),
        (429, "120", DeliveryResult("failed", "status 429", 120.0)),
        (503, "999999", DeliveryResult("failed", "status 503", 3600.0)),
        (503, "Fri, 31 Dec 1999 23:59:59 GMT", DeliveryResult("failed", "status 503")),
        (500, "-1", DeliveryResult("failed", "status 500")),
    ],
)
def test_what_a_status_means(status: int, retry_after: str, outcome: DeliveryResult) -> None:
    assert status_outcome(status, retry_after) == outcome


def test_a_retry_date_is_compared_with_the_receiver_s_clock() -> None:
    then, now = "Fri, 31 Dec 1999 23:59:59 GMT", "Fri, 31 Dec 1999 23:59:29 GMT"
    assert status_outcome(503, then, now).wait == 30.0
    assert status_outcome(503, now, then).wait == 0.0


def test_pauses_grow_up_to_minutes_and_differ() -> None:
    assert [pause(n, 0.0, lambda: 0.0) for n in (1, 2, 3, 8, 9, 10, 10_000)] == [
        0.5, 1.0, 2.0, 64.0, 128.0, 150.0, 150.0
    ]  # fmt: skip
    assert pause(10, 0.0, lambda: 0.999) == pytest.approx(300, rel=1e-2)
    assert pause(1, 90.0) == 90.0


def test_what_is_posted(endpoint: Endpoint, options: ForwardOptions) -> None:
    outcome = https.transport(options)(BATCH)

    assert outcome == DeliveryResult("arrived", "status 200")
    sent = {"content-type", "content-encoding", "authorization", "idempotency-key", "user-agent"}
    assert {name: value for name, value in endpoint.headers.items() if name in sent} == {
        "content-type": "application/json",
        "content-encoding": "gzip",
        "authorization": "Bearer secret",
        "idempotency-key": "key",
        "user-agent": "onnxlet",
    }
    assert [gzip.decompress(body) for body in endpoint.bodies["key"]] == [BATCH.body]


def test_failures_are_logged_and_retried(
    endpoint: Endpoint, options: ForwardOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = https.transport(options)
    endpoint.says("drop", "hang", "500")

    assert send(BATCH).why.startswith("RemoteDisconnected")
    with monkeypatch.context() as soon:
        soon.setattr(https, "TIMEOUT_SECONDS", 0.2)
        assert send(BATCH).why.startswith("TimeoutError")
    assert send(BATCH) == DeliveryResult("failed", "status 500")
    nobody = https.transport(options._replace(url="https://localhost:1/"))(BATCH)
    assert (nobody.state, "refused" in nobody.why) == ("failed", True)
    unknown = https.transport(options._replace(url="https://nowhere.invalid/"))(BATCH)
    assert unknown.state == "failed"


def test_an_endpoint_that_nobody_vouches_for_gets_nothing(
    endpoint: Endpoint, options: ForwardOptions
) -> None:
    outcome = https.transport(options._replace(ca=None))(BATCH)

    assert outcome.state == "failed"
    assert "CERTIFICATE_VERIFY_FAILED" in outcome.why
    other_name = options.url.replace("localhost", "127.0.0.1")
    assert https.transport(options._replace(url=other_name))(BATCH).state == "failed"
    assert endpoint.tries == []


def test_certificates_that_are_not_there_stop_the_start(tmp_path: Path) -> None:
    options = ForwardOptions("https://localhost/", ca=tmp_path / "none.pem")
    with pytest.raises(
        SettingsError, match=r"ONNXLET_DEVICE_FORWARD_CA: .*none\.pem can't be read"
    ):
        start(options)


class Sending:
    """A sender with what it logs, and a queue that records are put into."""

    def __init__(self, options: ForwardOptions, transport: Transport) -> None:
        self.lines: list[dict[str, Any]] = []
        self.clock = Clock("boot")
        self.open = partial(open_queue, options, self.clock)
        lock = options.queue.with_name("lock")
        self.sender = Sender(self.open, transport, lock, options.seconds, self.lines.append)
        self.queue = self.open()

    def keep(self, *names: str) -> None:
        self.queue.add([record("prediction", name, [name], self.clock) for name in names])

    def wait_for(self, sent: int) -> None:
        """Until so many have arrived and its thread has ended: it logs only after it counts."""
        wait_until(lambda: self.queue.totals().sent == sent)
        self.sender.stop(60)

    def end(self) -> None:
        self.sender.stop()
        self.queue.close()


@pytest.fixture
def sending(options: ForwardOptions, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sending]:
    monkeypatch.setattr(sender, "FIRST_SECONDS", 0.02)
    sending = Sending(options, https.transport(options))
    yield sending
    sending.end()


def names(endpoint: Endpoint) -> list[str]:
    return [record["prediction"][0] for record in endpoint.records]


def test_a_batch_is_sent_until_it_has_arrived_always_the_same(
    sending: Sending, endpoint: Endpoint
) -> None:
    endpoint.says("500", "lost", "429", "ok")
    sending.keep("a", "b")
    sending.sender.start()
    wait_until(lambda: len(endpoint.tries) == 2)
    sending.keep("c")
    sending.wait_for(3)

    assert names(endpoint) == ["a", "b", "c"]
    first, *again, last = endpoint.tries
    assert again == [first] * 3
    assert last != first
    assert [len(bodies) for bodies in endpoint.bodies.values()] == [1, 1]
    assert [line["state"] for line in sending.lines] == ["failed", "sending"]
    assert sending.sender.failures == 0


def test_a_refused_record_is_logged_once_and_the_rest_goes_on(
    sending: Sending, endpoint: Endpoint
) -> None:
    endpoint.says("422")
    sending.keep("poison")
    sending.sender.start()
    wait_until(lambda: sending.queue.totals().aside == 1)
    sending.keep("a")
    wait_until(lambda: sending.queue.totals().sent == 1)

    assert names(endpoint) == ["a"]
    assert sending.lines == [
        {"event": "forward", "state": "refused", "error": "status 422", "records": 1}
    ]
    assert retry(sending.queue._database) == 1
    wait_until(lambda: sending.queue.totals().sent == 2)
    assert names(endpoint) == ["a", "poison"]


def test_a_key_that_is_not_known_any_more_costs_no_record(
    sending: Sending, endpoint: Endpoint
) -> None:
    endpoint.says("500", "401", "403", "404", "407", "401")
    names_ = [str(number) for number in range(2000)]
    sending.keep(*names_)
    sending.sender.start()
    sending.wait_for(2000)

    assert names(endpoint) == names_
    assert sending.queue.totals().aside == 0
    assert len(set(endpoint.tries)) == 4, "the same batch, until it was taken"
    assert sending.lines == [
        {"event": "forward", "state": "failed", "error": "status 500"},
        {
            "event": "forward",
            "state": "barred",
            "error": f"status 401: {https.BARRED[401]}",
        },
        {"event": "forward", "state": "sending"},
    ]


def test_batches_that_are_too_large_are_halved_until_they_are_taken(
    sending: Sending, endpoint: Endpoint
) -> None:
    """A half whose answer is lost comes again by its own key; nothing is set aside or doubled."""
    endpoint.judge = lambda body, records: "413" if len(records) > 90 else "ok"
    endpoint.says("ok", "ok", "ok", "lost", "500", "lost", "ok")
    names_ = [str(number) for number in range(700)]
    sending.keep(*names_)
    sending.sender.start()
    wait_until(lambda: sending.queue.totals().sent == 700)

    assert names(endpoint) == names_
    assert [len(batch) for batch in endpoint.batches.values()] == [62] * 11 + [18]
    assert all(len(bodies) == 1 for bodies in endpoint.bodies.values()), "one key, one batch"
    assert endpoint.tries.count(next(iter(endpoint.batches))) == 4
    assert sending.queue.totals().aside == 0


def test_what_is_wrong_with_one_record_is_not_laid_to_the_others(
    sending: Sending, endpoint: Endpoint
) -> None:
    poison = {"137", "138", "260"}
    endpoint.judge = lambda body, records: (
        "422" if poison & {record["prediction"][0] for record in records} else "ok"
    )
    names_ = [str(number) for number in range(300)]
    sending.keep(*names_)
    sending.sender.start()
    wait_until(lambda: sending.queue.totals().sent == 297)

    assert names(endpoint) == [name for name in names_ if name not in poison], "in order"
    assert sending.queue.totals().aside == 3
    refused = {"event": "forward", "state": "refused", "error": "status 422", "records": 1}
    assert sending.lines == [refused] * 3
    assert len(endpoint.tries) < 70


def test_where_everything_is_refused_records_go_one_at_a_time(
    sending: Sending, endpoint: Endpoint
) -> None:
    """After pauses that grow: it is not the records' fault, and the cause may be fixed."""
    endpoint.mood = lambda: "400" if len(sending.lines) < 3 else "ok"
    sending.keep(*map(str, range(100)))
    sending.sender.start()
    wait_until(lambda: sending.queue.totals().sent + sending.queue.totals().aside == 100)

    assert sending.queue.totals().aside == 3
    assert len(endpoint.tries) < 30


def test_who_closes_before_the_end_of_a_body_is_heard(options: ForwardOptions) -> None:
    """As nginx does where a body is beyond its limit."""

    def refuse(listener: socket.socket) -> None:
        with listener.accept()[0] as connection:
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")

    large = BATCH._replace(body=os.urandom(3_000_000))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        refusing = threading.Thread(target=refuse, args=(listener,))
        refusing.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        outcome = https.transport(options._replace(url=url))(large)
        refusing.join()
    assert outcome == DeliveryResult("refused", "status 413")


def test_retry_after_is_respected(sending: Sending, endpoint: Endpoint) -> None:
    endpoint.says("429")
    endpoint.retry_after = "60"
    sending.keep("a")
    sending.sender.start()
    wait_until(lambda: len(endpoint.tries) == 1)
    threading.Event().wait(0.6)

    assert len(endpoint.tries) == 1
    assert sending.queue.totals().waiting == 1


def test_of_two_processes_one_sends(options: ForwardOptions) -> None:
    begun, over = threading.Event(), threading.Event()
    sent: list[str] = []

    def slowly(batch: Batch) -> DeliveryResult:
        sent.append("first")
        begun.set()
        over.wait(10)
        return DeliveryResult("arrived")

    first = Sending(options, slowly)

    def at_once(batch: Batch) -> DeliveryResult:
        sent.append("second")
        return DeliveryResult("arrived")

    second = Sending(options, at_once)
    first.keep("a")
    first.sender.start()
    begun.wait(10)
    second.sender.start()
    threading.Event().wait(0.2)
    assert sent == ["first"]
    over.set()
    wait_until(lambda: first.queue.totals().sent == 1)
    first.end()
    second.end()


def test_a_database_that_fails_while_sending_is_logged_once(
    sending: Sending, options: ForwardOptions, tmp_path: Path
) -> None:
    sending.keep("a")
    sending.queue.close()
    beside = tmp_path / "beside"
    for end in ("", "-wal", "-shm"):
        (tmp_path / f"queue.db{end}").unlink(missing_ok=True)
    options.queue.mkdir()
    sending.sender.start()
    wait_until(lambda: sending.sender.failures > 2)
    options.queue.rmdir()
    sending.queue = sending.open()
    sending.keep("b")
    sending.wait_for(1)

    assert [line["state"] for line in sending.lines] == ["failed", "sending"]
    assert not beside.exists()


def test_random_ids_and_bytes_come_through(sending: Sending, endpoint: Endpoint) -> None:
    texts = [base64.b64encode(os.urandom(400)).decode() for _ in range(50)]
    sending.keep(*texts, 'ä \U0001f600 " \\ \n')
    sending.sender.start()
    wait_until(lambda: len(endpoint.records) == 51)
    assert names(endpoint)[:50] == texts
    assert json.dumps(names(endpoint)[50]) == json.dumps('ä \U0001f600 " \\ \n')


def test_the_command_shows_the_queue_and_retries_refused_records(
    sending: Sending, endpoint: Endpoint, options: ForwardOptions
) -> None:
    endpoint.says("400", "400", "400")
    sending.keep("a", "b")
    sending.sender.start()
    wait_until(lambda: sending.queue.totals().aside == 2)

    assert inspect(options, retry=False)[1] == "set aside 2"
    assert inspect(options, retry=True)[0] == "2 records are sent again"
    wait_until(lambda: names(endpoint) == ["a", "b"])
    wait_until(lambda: inspect(options, retry=False)[2] == "sent 2")
