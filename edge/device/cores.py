"""How many cores this process may use."""

from __future__ import annotations

import os
from contextlib import suppress
from math import ceil
from pathlib import Path

QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of this container: microseconds of each period


def cores(quota: Path = QUOTA) -> int:
    """Cores that this process may run on, and a container's limit where that is lower."""
    # macOS has no affinity; a Python newer than ours would count as this does.
    may = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):  # no container, no limit ("max"), or cgroups of old
        allowed, period = map(int, quota.read_text().split())
        return min(may, max(1, ceil(allowed / period)))
    return may
