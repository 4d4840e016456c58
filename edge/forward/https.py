"""Sends batches to an HTTPS endpoint."""

from __future__ import annotations

import gzip
import http.client
from contextlib import suppress
from functools import partial
from urllib.parse import urlsplit

from onnxlet.edge.forward.delivery_outcome import OVERALL_SECONDS, Transport, Verdict, of_status
from onnxlet.edge.forward.queue import Batch
from onnxlet.edge.net.socket_deadline import Deadline, WatchedHttp, WatchedHttps
from onnxlet.edge.net.trust import heed_the_clock, make_context, words_of
from onnxlet.edge.settings.forward import ForwardOptions

TIMEOUT_SECONDS = 20.0  # without a byte
SHOWN = 200  # bytes of an answer; the rest is not read


def transport(options: ForwardOptions) -> Transport:
    """What sends to the endpoint that is set.

    Raises:
        OSError: the certificates can't be read.
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

    def send(batch: Batch) -> Verdict:
        body = gzip.compress(batch.body, 6, mtime=0)
        if context:
            heed_the_clock(context)
        deadline = Deadline(OVERALL_SECONDS)
        connection = connect(deadline, url.hostname or "", url.port, timeout=TIMEOUT_SECONDS)
        try:
            with deadline:
                connection.connect()
                # Who finds a body too large may say so and close before the end of it has come.
                with suppress(BrokenPipeError, ConnectionResetError):
                    key = {"Idempotency-Key": batch.key}
                    connection.request("POST", path, body, {**headers, **key})
                answer = connection.getresponse()
                answer.read(SHOWN)
            told = [answer.headers.get(name, "").strip() for name in ("Retry-After", "Date")]
            return of_status(answer.status, *told)
        except (OSError, http.client.HTTPException) as error:
            why = f"no whole answer within {OVERALL_SECONDS:g} s"
            return Verdict("failed", why if deadline.over else words_of(error))
        finally:
            connection.close()

    return send
