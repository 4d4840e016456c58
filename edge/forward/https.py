"""Send batches to an HTTPS endpoint."""

from __future__ import annotations

import gzip
import http.client
from contextlib import suppress
from functools import partial
from urllib.parse import urlsplit

from onnxlet.edge.forward.delivery_outcome import (
    OVERALL_SECONDS,
    Outcome,
    Transport,
    status_outcome,
)
from onnxlet.edge.forward.queue import Batch
from onnxlet.edge.net.http_client import (
    Deadline,
    WatchedHttp,
    WatchedHttps,
    describe_error,
    make_context,
    set_date_checks,
)
from onnxlet.edge.settings.device import ForwardOptions

TIMEOUT_SECONDS = 20.0  # without a byte
BYTES_READ = 200  # bytes of a response that are read; the rest does not matter


def transport(options: ForwardOptions) -> Transport:
    """A function that sends a batch to the configured endpoint.

    OSError is raised where the CA certificates can't be read.
    """
    url = urlsplit(options.url)
    context = make_context(options.ca) if url.scheme == "https" else None
    connect = partial(WatchedHttps, context=context) if context else WatchedHttp
    headers: dict[str, str | bytes] = {
        "Content-Type": "application/json",
        "Content-Encoding": "gzip",
        "User-Agent": "onnxlet",
        "Connection": "close",
    }
    if options.key:
        headers["Authorization"] = f"Bearer {options.key}".encode()
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")

    def send(batch: Batch) -> Outcome:
        body = gzip.compress(batch.body, 6, mtime=0)
        if context:
            set_date_checks(context)
        deadline = Deadline(OVERALL_SECONDS)
        connection = connect(deadline, url.hostname or "", url.port, timeout=TIMEOUT_SECONDS)
        try:
            with deadline:
                connection.connect()
                # A server may refuse a large body, and close before it has read all of it.
                with suppress(BrokenPipeError, ConnectionResetError):
                    key = {"Idempotency-Key": batch.key}
                    connection.request("POST", path, body, {**headers, **key})
                answer = connection.getresponse()
                answer.read(BYTES_READ)
            headed = [answer.headers.get(name, "").strip() for name in ("Retry-After", "Date")]
            return status_outcome(answer.status, *headed)
        except (OSError, http.client.HTTPException) as error:
            why = f"no whole answer within {OVERALL_SECONDS:g} s"
            return Outcome("failed", why if deadline.over else describe_error(error))
        finally:
            connection.close()

    return send
