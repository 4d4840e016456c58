"""Send batches to an HTTPS endpoint, and what its answers mean."""

from __future__ import annotations

import gzip
import http.client
from urllib.parse import urlsplit

from onnxlet.edge.forward.queue import Batch
from onnxlet.edge.forward.sender import OVERALL_SECONDS, DeliveryResult, Transport
from onnxlet.edge.net.http_client import (
    Deadline,
    describe_error,
    make_context,
    post,
    retry_after_seconds,
)
from onnxlet.edge.settings.device import ForwardOptions

TIMEOUT_SECONDS = 20.0  # without a byte
BYTES_READ = 200  # bytes of a response that are read; the rest does not matter
TRANSIENT = {408, 429}  # statuses 4xx after which the same batch may be accepted later
# Statuses 4xx that are no fault of the records: they are sent once the cause is fixed.
BARRED = {
    401: "the key is not known there: ONNXLET_DEVICE_FORWARD_KEY",
    403: "not allowed there: ONNXLET_DEVICE_FORWARD_KEY, or the server's own rules",
    404: "nothing is there: ONNXLET_DEVICE_FORWARD_URL",
    407: "a proxy in between wants a password",
}


def transport(options: ForwardOptions) -> Transport:
    """A function that sends a batch to the configured endpoint.

    OSError is raised where the CA certificates can't be read.
    """
    url = urlsplit(options.url)
    context = make_context(options.ca) if url.scheme == "https" else None
    headers: dict[str, str | bytes] = {
        "Content-Type": "application/json",
        "Content-Encoding": "gzip",
        "User-Agent": "onnxlet",
        "Connection": "close",
    }
    if options.key:
        headers["Authorization"] = f"Bearer {options.key}".encode()

    def send(batch: Batch) -> DeliveryResult:
        body = gzip.compress(batch.body, 6, mtime=0)
        keyed = {**headers, "Idempotency-Key": batch.key}
        deadline = Deadline(OVERALL_SECONDS)
        try:
            answer = post(url, body, keyed, context, deadline, TIMEOUT_SECONDS, BYTES_READ)
        except (OSError, http.client.HTTPException) as error:
            why = f"no whole answer within {OVERALL_SECONDS:g} s"
            return DeliveryResult("failed", why if deadline.over else describe_error(error))
        headed = [answer.headers.get(name, "").strip() for name in ("Retry-After", "Date")]
        return status_outcome(answer.status, *headed)

    return send


def status_outcome(status: int, retry_after: str = "", date: str = "") -> DeliveryResult:
    """The outcome by an HTTP response.

    `retry_after` is a number of seconds or a date; `date` is the receiver's clock.
    """
    why = f"status {status}"
    if 200 <= status < 300:
        return DeliveryResult("arrived", why)
    wait = retry_after_seconds(retry_after, date)
    if hint := BARRED.get(status):
        return DeliveryResult("barred", f"{why}: {hint}", wait)
    if 400 <= status < 500 and status not in TRANSIENT:
        return DeliveryResult("refused", why)
    return DeliveryResult("failed", why, wait)
