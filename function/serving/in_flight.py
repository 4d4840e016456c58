"""How many requests are being answered at once, and how many that may be."""

from __future__ import annotations

import threading


class InFlight:
    """Counts requests in flight.

    Attributes:
        limit: most requests at once.
        count: requests now.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.count = 0
        self._lock = threading.Lock()

    def enter(self) -> bool:
        """Count one more; whether it is within the limit. Each one has to leave."""
        with self._lock:
            self.count += 1
            return self.count <= self.limit

    def leave(self) -> None:
        """Count one less."""
        with self._lock:
            self.count -= 1
