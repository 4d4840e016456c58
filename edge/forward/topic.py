"""Sends batches to a topic of an MQTT broker."""

from __future__ import annotations

import gzip
import time
from urllib.parse import urlsplit

from paho.mqtt.reasoncodes import ReasonCode

from onnxlet.edge.forward.delivery_outcome import OVERALL_SECONDS, Transport, Verdict
from onnxlet.edge.forward.queue import Batch
from onnxlet.edge.net.mqtt_link import TOO_LARGE, Address, Link, LinkLost
from onnxlet.edge.settings.forward import ForwardOptions

HEAD_BYTES = 1000  # of a packet beside its topic and payload
NO_SUBSCRIBERS = 0x10  # the broker took it and gave it to nobody: it would be lost
REFUSED = {TOO_LARGE, 0x99}  # or the payload's form is not taken
BARRED = {0x87, 0x90}  # this user may not publish there; there is no such topic


def transport(options: ForwardOptions) -> Transport:
    """What publishes to the topic that is set, over a new connection for each batch.

    Raises:
        OSError: the certificates can't be read.
    """
    url = urlsplit(options.url)
    topic = url.path[1:] + (f"?{url.query}" if url.query else "")
    address = Address(f"{url.scheme}://{url.netloc}", options.user, options.key, options.ca)
    Link(address, "")  # which reads the certificates

    def send(batch: Batch) -> Verdict:
        try:
            link = Link(address, "")
            try:
                link.open(resume=False)
                return _send(link, topic, batch)
            finally:
                link.close()
        except LinkLost as error:
            why = str(error)[:200]
            return Verdict("refused" if error.code == TOO_LARGE else "failed", why)
        except OSError as error:
            return Verdict("failed", str(error)[:200])

    return send


def _send(link: Link, topic: str, batch: Batch) -> Verdict:
    body = gzip.compress(batch.body, 6, mtime=0)
    if len(body) + len(topic.encode()) + HEAD_BYTES > link.largest:
        return Verdict("refused", f"the broker takes {link.largest} bytes at most")
    told = {
        "ContentType": "application/json",
        "UserProperty": [("Idempotency-Key", batch.key), ("Content-Encoding", "gzip")],
    }
    return _answer(link, link.publish(topic, body, told))


def _answer(link: Link, mine: int) -> Verdict:
    end = time.monotonic() + OVERALL_SECONDS
    while time.monotonic() < end:
        link.loop(0.2)
        for number, code in link.published:
            if number == mine:
                return of_reason(code)
    return Verdict("failed", f"no acknowledgement within {OVERALL_SECONDS:g} s")


def of_reason(code: ReasonCode) -> Verdict:
    """What the broker's reason code means."""
    if code.value == NO_SUBSCRIBERS:
        return Verdict("failed", "nobody subscribes to the topic")
    if not code.is_failure:
        return Verdict("arrived", str(code))
    why = f"the broker says: {code}"
    if code.value in BARRED:
        return Verdict("barred", why)
    return Verdict("refused" if code.value in REFUSED else "failed", why)
