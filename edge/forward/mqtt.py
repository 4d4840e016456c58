"""Send batches to a topic of an MQTT broker, and what its answers mean."""

from __future__ import annotations

import gzip
import time
from urllib.parse import urlsplit

from paho.mqtt.reasoncodes import ReasonCode

from onnxlet.edge.forward.queue import Batch
from onnxlet.edge.forward.sender import OVERALL_SECONDS, DeliveryResult, Transport
from onnxlet.edge.net.mqtt_link import HEAD_BYTES, TOO_LARGE, Address, Link, LinkLost
from onnxlet.edge.settings.device import ForwardOptions

# MQTT 5's reason codes.
NO_SUBSCRIBERS = 0x10  # the broker accepted it and delivered it to nobody: it would be lost
REFUSED = {TOO_LARGE, 0x99}  # too large; payload format invalid
BARRED = {0x87, 0x90}  # not authorized; topic name invalid


def transport(options: ForwardOptions) -> Transport:
    """A function that publishes a batch to the configured topic, over a new connection.

    OSError is raised where the CA certificates can't be read.
    """
    url = urlsplit(options.url)
    topic = url.path[1:] + (f"?{url.query}" if url.query else "")
    address = Address(f"{url.scheme}://{url.netloc}", options.user, options.key, options.ca)
    Link(address, "")  # reads the CA certificates

    def send(batch: Batch) -> DeliveryResult:
        try:
            link = Link(address, "")
            try:
                link.open(resume=False)
                return _send(link, topic, batch)
            finally:
                link.close()
        except LinkLost as error:
            why = str(error)[:200]
            return DeliveryResult("refused" if error.code == TOO_LARGE else "failed", why)
        except OSError as error:
            return DeliveryResult("failed", str(error)[:200])

    return send


def _send(link: Link, topic: str, batch: Batch) -> DeliveryResult:
    body = gzip.compress(batch.body, 6, mtime=0)
    if len(body) + len(topic.encode()) + HEAD_BYTES > link.largest:
        return DeliveryResult("refused", f"the broker takes {link.largest} bytes at most")
    properties = {
        "ContentType": "application/json",
        "UserProperty": [("Idempotency-Key", batch.key), ("Content-Encoding", "gzip")],
    }
    return _acknowledgement(link, link.publish(topic, body, properties))


def _acknowledgement(link: Link, mine: int) -> DeliveryResult:
    end = time.monotonic() + OVERALL_SECONDS
    while time.monotonic() < end:
        link.loop(0.2)
        for number, code in link.published:
            if number == mine:
                return reason_outcome(code)
    return DeliveryResult("failed", f"no acknowledgement within {OVERALL_SECONDS:g} s")


def reason_outcome(code: ReasonCode) -> DeliveryResult:
    """The outcome by the broker's reason code."""
    if code.value == NO_SUBSCRIBERS:
        return DeliveryResult("failed", "nobody subscribes to the topic")
    if not code.is_failure:
        return DeliveryResult("arrived", str(code))
    why = f"the broker says: {code}"
    if code.value in BARRED:
        return DeliveryResult("barred", why)
    return DeliveryResult("refused" if code.value in REFUSED else "failed", why)
