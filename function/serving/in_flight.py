"""How many requests are being answered at once, and how many that may be."""

from __future__ import annotations

import threading


class InFlight:
    """Counts requests in flight; safe from several threads.

    Attributes:
        limit: requests that are answered at once; any beyond it is refused.
        count: requests that have entered and not left.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.count = 0
        self._lock = threading.Lock()

    def enter(self) -> bool:
        """Count one more, and return whether it is within the limit; each one has to leave."""
        with self._lock:
            self.count += 1
            return self.count <= self.limit

    def leave(self) -> None:
        """Count one less: the request is answered or refused."""
        with self._lock:
            self.count -= 1
