"""An unpacked bundle answers as the whole does, with nothing else on the path."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from onnxlet.edge.bundle_main import unfit
from onnxlet.function.app import create_app
from onnxlet.function.settings import Settings
from tests.convert.bundle.conftest import ARCH, PYTHON, Made
from tests.function.serving.test_predict import HOUSE, SHOP

JSON = {"Content-Type": "application/json"}
IRIS = [5.1, 3.5, 1.4, 0.2]
TENSOR = {"inputs": [{"name": "input", "shape": [1, 4], "datatype": "FP64", "data": IRIS}]}
REQUESTS: list[tuple[str, str, Any]] = [
    ("POST", "/models/shop/predict", {"instances": [SHOP]}),
    ("POST", "/models/house-prices/predict", {"instances": [HOUSE] * 300}),
    ("POST", "/models/loan-default/predict", "age\nx\n"),
    ("POST", "/models/house-prices/explain", {"instances": [HOUSE]}),
    ("POST", "/models/iris/explain", {"instances": [IRIS]}),
    ("POST", "/v2/models/iris/infer", TENSOR),
    ("POST", "/v1/models/iris:predict", {"instances": [IRIS]}),
    ("POST", "/invocations", {"dataframe_split": {"columns": [], "data": []}}),
    ("POST", "/models/iris/predict", {"instances": [[1, 2, 3, "x"]]}),
    ("GET", "/openapi.json", None),
    ("GET", "/v2/models/iris", None),
    ("GET", "/v2/models/iris/stats", None),
    ("GET", "/models/shop", None),
    ("GET", "/nowhere", None),
    ("GET", "/", None),
]
RUN = """
import json, sys
sys.path.insert(0, sys.argv[1])
from onnxlet.function.handler import handler
requests = json.load(sys.stdin)
answers = []
for method, path, body in requests:
    kind = "text/csv" if isinstance(body, str) else "application/json"
    text = body if isinstance(body, str) else json.dumps(body)
    answers.append(handler({
        "version": "2.0", "rawPath": path, "rawQueryString": "",
        "headers": {"content-type": kind, "host": "localhost", "x-request-id": "id"},
        "requestContext": {"stage": "$default", "http": {"method": method, "path": path}},
        "body": None if body is None else text, "isBase64Encoded": False,
    }, None))
outside = sorted({
    name for name, module in sys.modules.items()
    if "site-packages" in str(getattr(module, "__file__", ""))
})
print(json.dumps([answers, outside]))
"""


def alone(folder: Path, program: str, *arguments: str, given: str = "") -> str:
    """Run a program with the standard library and a folder, and nothing else."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, str(folder), *arguments],
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_dialect_answers_as_the_whole_does(for_lambda: Made, models: Path) -> None:
    answers, outside = json.loads(alone(for_lambda.folder, RUN, given=json.dumps(REQUESTS)))
    client = create_app(models, settings=Settings(models)).test_client()

    assert outside == []
    for (method, path, body), got in zip(REQUESTS, answers, strict=True):
        kind = "text/csv" if isinstance(body, str) else "application/json"
        data = body if isinstance(body, str) or body is None else json.dumps(body)
        wanted = client.open(path, method=method, data=data, content_type=kind)
        assert got["statusCode"] == wanted.status_code, path
        if path == "/v2/models/iris/stats":
            continue  # has the time that it took
        mask = r'"(request_id|X-Request-Id)":"[^"]*"'
        assert re.sub(mask, "", got["body"]) == re.sub(mask, "", wanted.text), path


def test_nothing_is_compiled_where_it_runs(for_lambda: Made, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(for_lambda.folder, folder)
    before = set(folder.rglob("*"))
    alone(folder, RUN, given=json.dumps(REQUESTS[:1]))

    assert set(folder.rglob("*")) == before


def test_a_device_serves_from_the_folder(for_device: Made) -> None:
    process = subprocess.Popen(
        [sys.executable, "-S", str(for_device.folder), "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd="/",
        env={"PATH": os.environ["PATH"]},
    )
    try:
        assert process.stdout is not None
        found = re.search(r"on http://(127\.0\.0\.1:\d+)", process.stdout.readline())
        assert found
        body = json.dumps({"instances": [SHOP]}).encode()
        connection = HTTPConnection(found[1], timeout=20)
        connection.request("POST", "/models/shop/predict", body, JSON)
        assert json.load(connection.getresponse())["prediction"] == [True]
        connection.request("GET", "/metrics")
        assert b"onnxlet_requests_total" in connection.getresponse().read()
        connection.close()
    finally:
        process.terminate()
        process.wait(20)
        if process.stdout is not None:
            process.stdout.close()


def test_a_device_bundle_says_what_it_does_as_a_zip(for_device: Made) -> None:
    done = subprocess.run(
        [sys.executable, str(for_device.zip), "serve"], capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 1
    assert done.stderr == (
        "error: as a zip it has two commands: sudo python3 bundle.zip install --key KEY, "
        "python3 bundle.zip doctor; the others once it is unpacked: "
        "python3 -m zipfile -e bundle.zip FOLDER\n"
    )


@pytest.mark.parametrize(
    ("told", "part"),
    [
        ({"python": "2.7", "arch": ARCH}, f"for Python 2.7, and this is {PYTHON}"),
        ({"python": PYTHON, "arch": "s390x"}, f"for s390x, and this machine is {ARCH}"),
    ],
)
def test_a_machine_that_does_not_fit_is_reported(told: dict[str, str], part: str) -> None:
    [fault] = unfit(told)
    assert part in fault
    assert unfit({"python": PYTHON, "arch": ARCH}) == []
