"""The report that lies beside a model: who gets it, and that predictions ignore it."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from onnxlet.edge.reload.folder_scan import scan
from onnxlet.function.models.model import load_model
from tests.conftest import Client, app_of, client_of

PAGE = "<!doctype html><title>\u6708 report</title>".encode()


def write_page(version: Path, page: bytes) -> None:
    (version / "report.html").write_bytes(page)
    line = f"{hashlib.sha256(page).hexdigest()}  report.html\n"
    (version / "report.sha256").write_text(line)


@pytest.fixture
def own(models: Path, tmp_path: Path) -> Path:
    shutil.copytree(models / "iris", tmp_path / "iris")
    shutil.copytree(models / "iris" / "1", tmp_path / "iris" / "2")
    shutil.copytree(models / "shop", tmp_path / "shop")
    write_page(tmp_path / "iris" / "1", b"old")
    write_page(tmp_path / "iris" / "2", PAGE)
    return tmp_path


@pytest.fixture
def asking(own: Path) -> Client:
    return client_of(app_of(own))


def test_it_is_the_file_under_a_policy_that_runs_nothing(asking: Client) -> None:
    answer = asking.get("/models/iris/report")

    assert (answer.status, answer.body) == (200, PAGE)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["content-security-policy"].split("; ") == [
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]


@pytest.mark.parametrize("name", ["report.csv", "report.json", "1/report.csv", "golden.json"])
def test_test_rows_beside_it_are_never_sent(own: Path, name: str) -> None:
    for version in ("1", "2"):
        (own / "iris" / version / "report.csv").write_text("line,truth,answer\n2,Waldo,x\n")
    asking = client_of(app_of(own))
    places = ("", "models/iris/", "models/iris/report/../", "models/iris/versions/1/")
    for path in (f"/{place}{name}" for place in places):
        answer = asking.get(path)
        assert answer.status in (400, 404, 405)
        assert b"Waldo" not in answer.body
    assert b"Waldo" not in asking.get("/models/iris/report").body


def test_of_the_version_that_is_named(asking: Client) -> None:
    assert asking.get("/models/iris/report?version=1").body == b"old"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/models/shop/report", "no report of shop version 1 here"),
        ("/models/none/report", "no model 'none'"),
        ("/models/iris/report?version=7", "no version 7 of model 'iris'"),
    ],
)
def test_where_there_is_none(asking: Client, path: str, said: str) -> None:
    answer = asking.get(path)

    assert answer.status == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == said


def test_it_asks_for_a_key_where_there_is_one(own: Path) -> None:
    keys = {"tester": hashlib.sha256(b"open sesame").digest()}
    asking = client_of(app_of(own, api_keys=keys))

    assert asking.get("/models/iris/report").status == 401
    assert asking.get("/models/iris/report", {"X-API-Key": "open sesame"}).body == PAGE


def test_the_description_says_where_it_is(asking: Client) -> None:
    described = {each["name"]: each for each in asking.get("/models").json()["models"]}

    assert described["iris"]["report"] == "models/iris/report?version=2"
    assert "report" not in described["shop"]
    assert asking.get(f"/{described['iris']['report']}").body == PAGE
    assert asking.get("/models/iris?version=1").json()["report"] == "models/iris/report?version=1"


def test_the_document_has_it_for_models_with_one(asking: Client) -> None:
    paths = asking.get("/openapi.json").json()["paths"]

    assert [path for path in paths if path.endswith("/report")] == ["/models/iris/report"]


def test_a_report_that_is_written_again_reloads_no_model(own: Path) -> None:
    before = scan(own)
    for name in ("report.html", "report.sha256", "report.md", "report.json", ".report.html.42"):
        (own / "iris" / "2" / name).write_bytes(b"new")

    assert scan(own) == before
    assert load_model(own / "iris" / "2").version == 2
