"""What a process of the tests does, in a module that imports nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def begin(content: bytes) -> Any:
    """What the process does with each argument."""

    def work(argument: bytes, tick: Callable[[int], object]) -> list[Any]:
        return [content, argument, tick(1)]

    return work
