"""Sends batches to an HTTPS endpoint."""

from __future__ import annotations

import gzip
import http.client
import ssl
from functools import partial
from urllib.parse import urlsplit

from edge.forward.options import ForwardOptions
from edge.forward.queue import Batch
from edge.forward.verdicts import Transport, Verdict, of_status

TIMEOUT_SECONDS = 20.0  # without a byte
SHOWN = 200  # bytes of an answer; the rest is not read


def transport(options: ForwardOptions) -> Transport:
    """What sends to the endpoint that is set.

    Raises:
        OSError: the certificates can't be read.
    """
    url = urlsplit(options.url)
    connect = partial(http.client.HTTPConnection, url.hostname or "", url.port)
    if url.scheme == "https":
        context = ssl.create_default_context(cafile=options.ca)
        connect = partial(
            http.client.HTTPSConnection, url.hostname or "", url.port, context=context
        )
    headers: dict[str, str | bytes] = {
        "Content-Type": "application/json",
        "Content-Encoding": "gzip",
        "User-Agent": "onnxlet",
        "Connection": "close",
    }
    if options.key:
        headers["Authorization"] = f"Bearer {options.key}".encode()
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")

    def send(batch: Batch) -> Verdict:
        connection = connect(timeout=TIMEOUT_SECONDS)
        try:
            body = gzip.compress(batch.body, 6, mtime=0)
            connection.request("POST", path, body, {**headers, "Idempotency-Key": batch.key})
            answer = connection.getresponse()
            answer.read(SHOWN)
            return of_status(answer.status, answer.headers.get("Retry-After", "").strip())
        except (OSError, http.client.HTTPException) as error:
            return Verdict("failed", f"{type(error).__name__}: {error}"[:SHOWN])
        finally:
            connection.close()

    return send
