"""Sends batches to a topic of an MQTT broker."""

from __future__ import annotations

import gzip
import time
from urllib.parse import urlsplit

from paho.mqtt.reasoncodes import ReasonCode

from edge.forward.options import ForwardOptions
from edge.forward.queue import Batch
from edge.forward.verdicts import Transport, Verdict
from edge.mqtt.link import Address, Link, LinkLost

PATIENCE_SECONDS = 20.0
NO_SUBSCRIBERS = 0x10  # the broker took it and gave it to nobody: it would be lost
REFUSED = {0x90, 0x95, 0x99}  # the topic, the packet's size or its payload is not taken


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
        body = gzip.compress(batch.body, 6, mtime=0)
        told = {
            "ContentType": "application/json",
            "UserProperty": [("Idempotency-Key", batch.key), ("Content-Encoding", "gzip")],
        }
        try:
            link = Link(address, "")
            link.open(resume=False)
            if len(body) + len(topic) + 1000 > link.largest:
                return Verdict("refused", f"the broker takes {link.largest} bytes at most")
            mine = link.publish(topic, body, told)
            verdict = _answer(link, mine)
            link.close()
        except (LinkLost, OSError) as error:
            return Verdict("failed", str(error)[:200])
        return verdict

    return send


def _answer(link: Link, mine: int) -> Verdict:
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        link.loop(0.2)
        for number, code in link.published:
            if number == mine:
                return of_reason(code)
    return Verdict("failed", "the broker does not acknowledge")


def of_reason(code: ReasonCode) -> Verdict:
    """What the broker's reason code means."""
    if code.value == NO_SUBSCRIBERS:
        return Verdict("failed", "nobody subscribes to the topic")
    if not code.is_failure:
        return Verdict("arrived", str(code))
    return Verdict("refused" if code.value in REFUSED else "failed", f"the broker says: {code}")
