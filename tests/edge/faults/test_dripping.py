"""Servers that drip: each byte comes in time, and the whole never does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from onnxlet.edge.forward import https
from onnxlet.edge.forward.queue import Batch
from onnxlet.edge.forward.sender import DeliveryResult
from onnxlet.edge.settings.device import ForwardOptions
from onnxlet.edge.update.errors import Unreachable
from onnxlet.edge.update.fetch import Web, download, read_small
from tests.edge.certificates import Pair
from tests.edge.faults.dripping import OK, dripping

BATCH = Batch("key", b'{"records": [1]}', 1)
HEAD = OK + b"Content-Length: 1000000\r\n\r\n"
WEB = Web(timeout=60, attempts=1, window=0.8, least=1000)
NEVER = 3600.0  # seconds
STILL_SECONDS = 3.0  # that it is watched for without what is there against it
OVER_SECONDS = 60.0  # within which it ends with that, on a busy machine, too


@pytest.mark.parametrize("tls", [False, True])
def test_a_batch_whose_answer_drips_is_sent_again_later(
    pair: Pair, tls: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(https, "OVERALL_SECONDS", 0.5)
    with dripping(b"", pair if tls else None) as url:
        begun = time.monotonic()
        verdict = https.transport(ForwardOptions(url, ca=pair.certificate))(BATCH)
    assert verdict == DeliveryResult("failed", "no whole answer within 0.5 s")
    assert time.monotonic() - begun < OVER_SECONDS


def test_one_that_was_acknowledged_has_arrived(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(https, "OVERALL_SECONDS", 120)
    with dripping(HEAD, pair) as url:
        verdict = https.transport(ForwardOptions(url, ca=pair.certificate))(BATCH)
    assert verdict == DeliveryResult("arrived", "status 200")


@pytest.mark.faults
def test_without_an_end_a_dripping_endpoint_holds_a_batch(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(https, "OVERALL_SECONDS", NEVER)
    with dripping(b"", pair) as url:
        send = https.transport(ForwardOptions(url, ca=pair.certificate))
        assert goes_on(lambda: send(BATCH))


def test_an_update_whose_answer_never_begins_is_given_up() -> None:
    with dripping(b"") as url, pytest.raises(Unreachable, match=r"no answer began within 0\.8 s"):
        read_small(f"{url}/x", 10**6, WEB)


@pytest.mark.long
def test_an_update_that_drips_is_given_up(tmp_path: Path) -> None:
    """A few hundred bytes came in time; what is to come would take an hour."""
    part, web = tmp_path / "part", WEB._replace(window=4, least=10_000)
    with (
        dripping(b"", at_once=HEAD) as url,
        pytest.raises(Unreachable, match=r"\d+ bytes came in \d+ s, fewer than 10000"),
    ):
        download(f"{url}/x", part, 10**6, web)
    assert 0 < part.stat().st_size < 10_000


@pytest.mark.faults
@pytest.mark.parametrize("beginning", [b"", HEAD], ids=["head", "body"])
def test_without_a_least_an_update_that_drips_goes_on(beginning: bytes) -> None:
    web = WEB._replace(window=NEVER)
    with dripping(beginning) as url:
        assert goes_on(lambda: read_small(f"{url}/x", 10**6, web))


def goes_on(what: Callable[[], object], seconds: float = STILL_SECONDS) -> bool:
    """Whether it has not come to an end after a while; it does when its server ends."""

    def quietly() -> None:
        with suppress(Unreachable):
            what()

    thread = threading.Thread(target=quietly, daemon=True)
    thread.start()
    thread.join(seconds)
    return thread.is_alive()
