"""Runs in the machine, by the live slot's own code: what of the device is not whole, as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

DATA = Path("/var/lib/onnxlet")
SLOT = (DATA / "live").resolve()


def slot() -> list[str]:
    """What `check` says of the slot."""
    from onnxlet.edge.update.health import check_slot

    return check_slot(SLOT, None)


def models() -> list[str]:
    """What it says of model-only updates."""
    from onnxlet.edge.update.health import check_slot

    return check_slot(SLOT, DATA / "models") if any(DATA.glob("models/*/*")) else []


def memory() -> list[str]:
    """Whether it can be read what is remembered of updates."""
    from onnxlet.edge.device.slots import DevicePaths
    from onnxlet.edge.update.status import status

    return [] if status(DevicePaths())["live"] else ["nothing is live"]


def faults(look: Callable[[], list[str]]) -> list[str]:
    """What is found, also where the code itself is torn."""
    try:
        return [f"{look.__name__}: {each}" for each in look()[:3]]
    except Exception as error:
        return [f"{look.__name__}: {error!r}"]


if __name__ == "__main__":
    sys.path.insert(0, str(SLOT))
    print(json.dumps([each for look in (slot, models, memory) for each in faults(look)]))
