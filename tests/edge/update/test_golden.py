"""Golden rows that an update asks: they count as nobody's predictions, and nobody else's do so."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onnxlet.edge.device.slots import DevicePaths
from onnxlet.edge.service.secret import FILE, Secret, read_secret
from onnxlet.edge.update.confirm import models_in
from onnxlet.edge.update.health import service_faults
from onnxlet.edge.update.setup import Setup
from onnxlet.edge.update.update import update
from tests.conftest import Client, through_socket
from tests.edge.forward.endpoint import listening, wait_until
from tests.edge.reload.test_reload import rewrite_golden

FORWARD = "ONNXLET_DEVICE_FORWARD_"


def nonsense(answers: Any) -> Any:
    """Other answers than those that were given."""
    return {**answers, "prediction": ["none"] * len(answers["prediction"])}


@pytest.mark.long
@pytest.mark.parametrize("left", [True, pytest.param(False, marks=pytest.mark.faults)])
def test_they_are_neither_kept_nor_counted(
    supervise: Callable[..., Setup],
    paths: DevicePaths,
    archives: Callable[[int], Path],
    tmp_path: Path,
    left: bool,
) -> None:
    """Where the service leaves no secret, they are kept: that is what it is for."""
    environ = {"ONNXLET_DEVICE_QUEUE": str(tmp_path / "queue.db")}
    if left:
        paths.state.mkdir()
        environ["STATE_DIRECTORY"] = str(paths.state)
    with listening(None) as endpoint:
        forward = {f"{FORWARD}URL": endpoint.url, f"{FORWARD}SECONDS": "1"}
        setup = supervise(**environ, **forward)
        assert update(setup, str(archives(2))) == ["bundle release 2: taken"]
        client = Client(through_socket(int(setup.service.url.rpartition(":")[2])))
        assert client.post("/predict", [[5.1, 3.5, 1.4, 0.2]]).status == 200
        wait_until(lambda: any(r["prediction"]["rows"] == 1 for r in endpoint.records))
        assert (len(endpoint.records) == 1) == left
        counted = 'onnxlet_rows_total{model="iris"} 1.0'
        assert (counted in client.get("/metrics").body.decode()) == left


def test_golden_rows_need_no_configured_key(
    supervise: Callable[..., Setup], paths: DevicePaths
) -> None:
    paths.state.mkdir()
    digest = hashlib.sha256(b"ours").hexdigest()
    setup = supervise(STATE_DIRECTORY=str(paths.state), ONNXLET_API_KEYS=f"ci:{digest}")
    service = setup.service
    assert service_faults(service, models_in(paths.live.resolve())) == []
    [directory] = models_in(paths.live.resolve())
    rewrite_golden(directory, lambda golden: golden.update(answers=nonsense(golden["answers"])))
    assert "answered differently" in service_faults(service, {directory: ("iris", 1)})[0]
    (paths.state / FILE).unlink()
    assert service_faults(service, {directory: ("iris", 1)}) == [], "they could not be asked"


def test_only_root_reads_the_secret_and_nothing_else_is_accepted(tmp_path: Path) -> None:
    secret = Secret()
    secret.save(tmp_path)
    secret.save(tmp_path)
    found = read_secret(tmp_path)
    assert found
    assert (found.request_id, found.key) == (secret.request_id, secret.key)
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [FILE]

    for content in ("", "root:x:0:0\n", f"{secret.request_id} {secret.key}\nmore"):
        (tmp_path / FILE).write_text(content)
        assert read_secret(tmp_path) is None
    secret.save(tmp_path)
    (tmp_path / FILE).rename(tmp_path / "elsewhere")
    (tmp_path / FILE).symlink_to("elsewhere")
    assert read_secret(tmp_path) is None
    (tmp_path / FILE).unlink()
    os.mkfifo(tmp_path / FILE)
    assert read_secret(tmp_path) is None
    assert read_secret(tmp_path / "nowhere") is None
    secret.save(tmp_path / "nowhere")
