"""Versions that are pinned or named stay on a device, and its status says what is served."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from onnxlet.edge.device.slots import DevicePaths
from onnxlet.edge.update import model_updates
from onnxlet.edge.update.errors import Refused
from onnxlet.edge.update.setup import Setup, make_setup
from onnxlet.edge.update.status import status
from onnxlet.edge.update.update import roll_model_back
from onnxlet.function.models.repository import versions_in


def quiet(line: str) -> None:
    """What is being done, not shown."""


def put(paths: DevicePaths, *versions: int) -> Path:
    """Model-only updates; their content does not matter here."""
    home = paths.models / "iris"
    for version in versions:
        (home / str(version)).mkdir(parents=True)
    return home


def test_clearing_out_leaves_what_is_named(paths: DevicePaths) -> None:
    home = put(paths, 2, 3, 4, 5, 6)
    (home / "aliases.json").write_text(json.dumps({"before": 3}))
    model_updates.prune(paths, {"iris": "2"})

    assert versions_in(home) == [2, 3, 5, 6]
    (home / "aliases.json").write_text("{")  # nobody knows which it means
    model_updates.prune(paths, {})
    assert versions_in(home) == [2, 3, 5, 6]
    (home / "aliases.json").unlink()
    model_updates.prune(paths, {})
    assert versions_in(home) == [5, 6]


def test_a_named_version_is_not_removed(setup: Setup, paths: DevicePaths) -> None:
    home = put(paths, 2)
    (home / "aliases.json").write_text(json.dumps({"stable": 2}))
    with pytest.raises(Refused, match=r"iris/2 is named by aliases\.json: stable"):
        roll_model_back(setup, "iris")
    (home / "aliases.json").unlink()
    with pytest.raises(Refused, match="iris/2 is named by ONNXLET_SERVE=iris=2"):
        roll_model_back(setup._replace(pins={"iris": "2"}), "iris")

    assert roll_model_back(setup, "iris") == "iris/2 is removed"


def test_the_status_is_of_what_is_served(setup: Setup, paths: DevicePaths) -> None:
    home = put(paths, 2, 3)
    assert status(paths)["models"] == {"iris": 3}
    (home / "aliases.json").write_text(json.dumps({"stable": 2}))
    assert status(paths)["models"] == {"iris": 2}
    with paths.environment.open("a") as file:
        file.write("ONNXLET_SERVE=iris=1\n")

    assert status(paths)["models"] == {"iris": 1}
    assert make_setup(paths, quiet).pins == {"iris": "1"}
