"""Stubs that are imported instead of modules which a program looks at and never uses."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any


@contextmanager
def stubs(members: Mapping[str, Mapping[str, Any]], kept: Collection[str] = ()) -> Iterator[None]:
    """Have stubs with these members imported, by the modules' names, until the end.

    Modules that this process has loaded already stay, and so do those that are `kept`.
    """
    placed = [name for name in members if name not in sys.modules and name not in kept]
    for name in placed:
        sys.modules[name] = ModuleType(name)
        sys.modules[name].__dict__.update(members[name])
    try:
        yield
    finally:
        for name in placed:
            del sys.modules[name]
