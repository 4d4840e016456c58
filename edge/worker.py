"""Gunicorn's worker thread, which stays with a connection whose client goes on at once.

Gunicorn hands a kept connection back to its poller after each answer, and over to a thread again
when the next request comes: two changes of thread, as long as a small model's whole request. As
long as there are no more connections than threads, nobody waits for this one's thread.
"""

from __future__ import annotations

import select
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

STALLED_SECONDS = 10.0  # without a byte
STAY_MILLISECONDS = 1.0  # a client that computes nothing between two requests is back by then


class StayingWorker(ThreadWorker):  # type: ignore[misc] # gunicorn ships no types
    """A gthread worker."""

    def handle(self, conn: Any) -> Any:
        """Answer a request, and those that follow on the same connection without a pause."""
        kept = super().handle(conn)
        while kept is True and self._may_stay(conn):
            kept = super().handle(conn)
        return kept

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer one request; a client that stalls in its body gives its thread back."""
        conn.sock.settimeout(STALLED_SECONDS)
        return super().handle_request(req, conn)

    def _may_stay(self, conn: Any) -> bool:
        if not self.alive or conn.is_http2 or self.nr_conns > self.cfg.threads:
            return False
        poll = select.poll()
        poll.register(conn.sock, select.POLLIN)
        return bool(poll.poll(STAY_MILLISECONDS))
