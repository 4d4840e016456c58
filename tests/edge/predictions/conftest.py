"""All tests of what is kept."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _patient(patient_writer: None) -> None:
    """A test that means a disk that hangs sets its own time."""
