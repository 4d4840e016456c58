"""The same in Firefox: another engine of JavaScript, of WebAssembly and of service workers."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.browser.conftest import PROVEN
from tests.browser.servers import WebServer
from tests.browser.test_visits import ROWS
from tests.conftest import Client

pytestmark = pytest.mark.browser
SCRIPT = Path(__file__).with_name("firefox.mjs")


def test_firefox_answers_as_the_function_also_without_a_network(
    served: WebServer, native: Client, tmp_path: Path
) -> None:
    assert shutil.which("firefox-esr"), "needs Debian's Firefox: apt-get install firefox-esr"
    profile, asked = tmp_path / "firefox", {"instances": ROWS["reviews"]}
    profile.mkdir()
    rows = json.dumps(asked["instances"])
    visiting = subprocess.Popen(
        ["node", "--experimental-websocket", SCRIPT, served.address, profile, "reviews", rows],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert visiting.stdout is not None
    try:
        assert visiting.stdout.readline() == "visited\n"
        served.kill()
        said, _ = visiting.communicate("go\n")
    finally:
        visiting.kill()
        visiting.wait()
    found = json.loads(said)
    expected = native.post("/models/reviews/predict", asked).json()
    assert PROVEN in found["said"]
    assert found["first"] == found["later"]
    assert found["first"]["prediction"] == expected["prediction"]
    for got, right in zip(found["first"]["probabilities"], expected["probabilities"], strict=True):
        assert got == pytest.approx(right, rel=1e-5, abs=1e-7)
