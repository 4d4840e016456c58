"""Debian for the machine; where it can't be had, tests are skipped, or fail if none may be."""

from __future__ import annotations

import pytest

from tests.conftest import lacking
from tests.lambda_runtime.machines import Unavailable
from tests.machine.system import System, make_system


@pytest.fixture(scope="session")
def system() -> System:
    try:
        return make_system()
    except Unavailable as error:
        lacking(str(error))
