"""Objects that come into S3: answered once and whole, or refused with the reason beside them."""

from __future__ import annotations

import gzip
import io
import json
import os
import tracemalloc
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from onnxlet.convert.sources.source import Source
from onnxlet.function import deadline
from onnxlet.function.aws import object_run, s3_events, s3_objects
from onnxlet.function.aws.s3_events import NotAnswered, answer, answer_messages, created, in_message
from onnxlet.function.aws.s3_objects import Objects, S3Location, Upload
from onnxlet.function.errors import SettingsError
from onnxlet.function.settings import Settings
from tests.events import (
    make_bridge_event,
    make_s3_event,
    make_schedule_event,
    make_sqs_event,
)
from tests.function.aws.bucket import S3, ClientError
from tests.function.aws.scoring import ROWS, Site, as_csv, as_lines, exact, read_csv, read_lines
from tests.function.serving.test_predict import SHOP
from tests.function.slow_models import add_slow
from tests.kept_builds import kept_builds

NAMES = list(SHOP)
GOOD: list[Any] = list(SHOP.values())
BAD = [GOOD[0], "canary", *GOOD[2:]]


@pytest.fixture
def site(models: Path) -> Site:
    return Site(models, S3())


def problems_of(site: Site, key: str) -> list[Any]:
    return [json.loads(line) for line in site.s3.content(key).splitlines()]


# ---- what an event is about


@pytest.mark.parametrize("key", ["a/b.csv", "späte Käufe/1+1 = 2 %41.csv", "a/b=c/d.jsonl"])
def test_every_form_of_event_names_the_object(key: str) -> None:
    direct, bridge = make_s3_event(key, "e"), make_bridge_event(key, "e")
    topic = {"Type": "Notification", "Message": json.dumps(direct)}
    expected = [(S3Location("in", key), "e")]

    assert created(direct) == expected
    assert created(bridge) == expected
    assert created({"Records": [{"EventSource": "aws:sns", "Sns": topic}]}) == expected
    for body in (direct, bridge, topic):
        [record] = make_sqs_event([json.dumps(body)])["Records"]
        assert in_message(record) == expected
    assert created(make_s3_event(key)) == [(S3Location("in", key), "")]


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        {},
        {"Records": []},
        {"Records": "x"},
        {"Records": ["x"]},
        {"Records": [{"eventSource": "aws:s3"}]},
        {"Records": [{"eventSource": "aws:dynamodb", "eventName": "ObjectCreated:Put"}]},
        {"source": "aws.s3", "detail-type": "Object Deleted", "detail": {}},
        {"source": "aws.s3", "detail-type": "Object Created"},
        make_schedule_event(),
        make_sqs_event(["x"]),
    ],
)
def test_other_events_are_none(event: Any) -> None:
    assert created(event) is None
    [record] = make_sqs_event([json.dumps(event)])["Records"]
    assert in_message(record) is None


def test_what_is_no_object_s_coming_is_about_nothing() -> None:
    assert created(make_s3_event("a", name="ObjectRemoved:Delete")) == []
    assert created({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "in"}) == []
    for body in ("", "\ud800", "[" * 2000, "3", "{"):
        assert in_message({"body": body}) is None
    assert in_message({}) is None


# ---- answers


def test_a_csv_object(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    rows = [GOOD] * 9 + [BAD] + [GOOD] * 3
    outcome = site.come("new/some.csv", as_csv(NAMES, rows), Metadata={"model": "shop"})

    header, *lines = read_csv(site.s3.content("go/new/some.csv"))
    answer = site.over_http("shop", as_csv(NAMES, [GOOD]), "text/csv")
    assert outcome == {"key": "come/new/some.csv", "state": "answered", "rows": 13, "unanswered": 1}
    assert header == ["prediction", "probabilities.false", "probabilities.true"]
    expected = ["true", *answer["probabilities"][0]]
    assert lines == [["", "", ""] if row is BAD else expected for row in rows]
    assert problems_of(site, "go/new/_some.csv.problems.jsonl") == [
        {"row": 9, "column": "count", "detail": "expected a whole number, got 'canary'"}
    ]
    # Whoever sees the answers finds the reasons beside them.
    written = [key for operation, key in site.s3.calls if operation == "put_object"]
    assert written == ["go/new/_some.csv.problems.jsonl", "go/new/some.csv"]
    about = site.s3.objects["out", "go/new/some.csv"]
    manifest = json.loads((site.models / "shop" / "1" / "manifest.json").read_text())
    assert about.media_type == "text/csv; charset=utf-8"
    assert about.metadata == {
        "onnxlet-source": "come/new/some.csv",
        "onnxlet-etag": site.s3.objects["in", "come/new/some.csv"].etag,
        "onnxlet-model": f"shop/1 {manifest['files']['model.onnx'][:12]}",
        "onnxlet-state": "answered",
    }
    assert "canary" not in capfd.readouterr().err


def test_each_batch_is_counted_and_logged_as_a_request(
    site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    batches = 100 // ROWS + 1
    site.come("shop/some.csv", as_csv(NAMES, [GOOD] * (ROWS * batches - 1)))

    count = site.service.counts.of("shop", 1)
    assert (count.answered, count.rows, count.refused) == (batches, ROWS * batches - 1, 0)
    assert {(line["method"], line["path"], line["status"]) for line in site.lines} == {
        ("object", "come/shop/some.csv", 200)
    }
    assert [line["rows"] for line in site.lines] == [ROWS] * (batches - 1) + [ROWS - 1]
    assert [line["watched"]["rows"] for line in site.lines if "watched" in line] == [
        ROWS * batches - 1
    ]
    last = json.loads(capfd.readouterr().err.splitlines()[-1])
    assert {name: last[name] for name in ("event", "path", "state", "rows", "unanswered")} == {
        "event": "object",
        "path": "come/shop/some.csv",
        "state": "answered",
        "rows": ROWS * batches - 1,
        "unanswered": 0,
    }


def test_which_model_answers(site: Site, models: Path) -> None:
    content = as_csv(NAMES, [GOOD])
    named: dict[str, dict[str, str]] = {"shop/a.csv": {}, "b.csv": {"model": "shop"}}
    for key, metadata in named.items():
        assert site.come(key, content, Metadata=metadata)["state"] == "answered"
    assert site.come("other/c.csv", content)["state"] == "refused"
    [problem] = problems_of(site, "go/other/_c.csv.problems.jsonl")
    assert problem["status"] == 404
    assert "iris" in problem["hint"]
    usual = Site(models, S3(), Settings(default_model="shop"))
    assert usual.come("other/c.csv", content)["state"] == "answered"
    assert usual.come("iris/d.csv", content)["state"] == "refused"  # of other columns


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", ""])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_lines_of_csv_end_in_every_way(site: Site, end: str, mark: bytes) -> None:
    rows = [[*GOOD, 'line one\nline, "two"']] * (ROWS + 2)
    content = as_csv([*NAMES, "note"], rows).decode().replace("one\nline", "one~line")
    content = content.rstrip("\n").replace("\n", end or "\n").replace("~", end or "\n")
    content += end
    outcome = site.come("shop/some.csv", mark + content.encode())

    assert (outcome["rows"], outcome["unanswered"]) == (ROWS + 2, 0)
    assert len(read_csv(site.s3.content("go/shop/some.csv"))) == ROWS + 3


def test_blank_lines_are_no_rows_but_of_one_column(site: Site) -> None:
    content = as_csv(NAMES, [GOOD, GOOD]).replace(b"\n", b"\n\n\n")
    assert site.come("shop/some.csv", content)["rows"] == 2
    lines = as_lines([SHOP, SHOP]).replace(b"\n", b"\n \n\n")
    assert site.come("shop/some.jsonl", lines)["rows"] == 2


def test_columns_beside_the_models_are_left_out_and_some_go_along(models: Path) -> None:
    site = Site(models, S3(), Settings(score_keep=("id", "Kunde")))
    names = ["id", *NAMES[::-1], "else", "Kunde"]
    rows = [["007", *GOOD[::-1], "x", 'Müller, "K."'], ["008", *BAD[::-1], "x", ""]]
    site.come("shop/some.csv", as_csv(names, rows))
    instances = [dict(zip(names, row, strict=True)) for row in rows]
    lines = [{**instances[0], "id": {"a": [1, 10**30]}}, instances[1], 3]
    site.come("shop/some.jsonl", as_lines(lines))

    header, *fields = read_csv(site.s3.content("go/shop/some.csv"))
    answer = site.over_http("shop", as_lines([[SHOP]]), "application/json")
    shares = answer["probabilities"][0]
    assert header == ["id", "Kunde", "prediction", "probabilities.false", "probabilities.true"]
    assert fields == [["007", 'Müller, "K."', "true", *shares], ["008", "", "", "", ""]]
    none = {"prediction": None, "probabilities": None}
    assert read_lines(site.s3.content("go/shop/some.jsonl")) == [
        {"id": exact(b'{"a":[1,1e+30]}'), "Kunde": 'Müller, "K."', "prediction": True}
        | {"probabilities": dict(zip(("false", "true"), shares, strict=True))},
        {"id": "008", "Kunde": "", **none},
        {"id": None, "Kunde": None, **none},
    ]


def test_a_line_that_is_no_json_is_only_a_bad_row(site: Site) -> None:
    lines = [
        json.dumps(SHOP),
        "{",
        "3",
        '{"a"',
        json.dumps([*GOOD, "a"]),
        "\ufeff" + json.dumps(SHOP),
    ]
    content = "\n".join(lines).encode() + b"\n\xff\n"
    site.come("shop/some.jsonl", b"\xef\xbb\xbf" + content)  # with a byte order mark

    answers = read_lines(site.s3.content("go/shop/some.jsonl"))
    assert [each["prediction"] for each in answers] == [True, None, None, None, True, True, None]
    problems = problems_of(site, "go/shop/_some.jsonl.problems.jsonl")
    assert [(each["row"], each["column"]) for each in problems] == [(n, None) for n in (1, 2, 3, 6)]
    assert "the line is not JSON" in problems[0]["detail"]
    assert "UTF-8" in problems[3]["detail"]


@pytest.mark.parametrize(
    ("key", "content"),
    [
        ("shop/some.csv", as_csv(NAMES, [])),
        ("shop/some.csv", ",".join(NAMES).encode()),
        ("shop/some.jsonl", b""),
        ("shop/some.jsonl", b"\n\n"),
    ],
    ids=["a header", "a line that does not end", "nothing", "blank lines"],
)
def test_no_rows_are_answered_by_none(site: Site, key: str, content: bytes) -> None:
    outcome = site.come(key, content)

    head = b"prediction,probabilities.false,probabilities.true\n"
    assert (outcome["state"], outcome["rows"]) == ("answered", 0)
    assert site.s3.content(f"go/{key}") == (head if key.endswith("csv") else b"")
    assert site.s3.keys() == [f"go/{key}"]


def test_a_blank_line_is_a_row_of_one_column(tmp_path: Path) -> None:
    X = pd.DataFrame({"price": np.arange(40.0)})
    source = Source(LinearRegression().fit(X, X["price"]), X)
    site = Site(kept_builds({"line": source}, tmp_path), S3())
    content = b"price\n1\n\n3\n"

    outcome = site.come("some.csv", content)
    assert (outcome["rows"], outcome["unanswered"]) == (3, 1)
    prediction = site.over_http("line", content, "text/csv")["prediction"]
    assert prediction[1] is None
    assert read_csv(site.s3.content("go/some.csv"))[1:] == [[each or ""] for each in prediction]


# ---- gzip, ranges and parts


def test_gzip_comes_and_goes(site: Site) -> None:
    plain = as_csv(NAMES, [GOOD] * 3)
    site.come("shop/some.csv", plain)
    for key in ("shop/some.csv.gz", "shop/again.csv.gz"):
        # Several members together are one file, as gzip itself has it.
        site.come(key, gzip.compress(plain[:40]) + gzip.compress(plain[40:]))
    site.come("shop/named.csv", gzip.compress(plain))  # as Content-Encoding may have it

    expected = site.s3.content("go/shop/some.csv")
    packed = site.s3.content("go/shop/some.csv.gz")
    assert gzip.decompress(packed) == expected == site.s3.content("go/shop/named.csv")
    assert packed == site.s3.content("go/shop/again.csv.gz")
    assert site.s3.objects["out", "go/shop/some.csv.gz"].media_type == "application/gzip"


def test_a_large_object_is_read_by_ranges_and_written_in_parts(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, site = Site(models, S3()), Site(models, S3())
    content = as_csv([*NAMES, "note"], [[*GOOD, str(number)] for number in range(100)])
    whole.come("shop/some.csv", content)
    monkeypatch.setattr(s3_objects, "RANGE", 64)
    monkeypatch.setattr(s3_objects, "PART", 500)
    monkeypatch.setattr("tests.function.aws.bucket.LEAST_PART", 500)
    site.come("shop/some.csv", content)

    operations = [operation for operation, _ in site.s3.calls]
    assert site.s3.content("go/shop/some.csv") == whole.s3.content("go/shop/some.csv")
    assert operations.count("get_object") == -(-len(content) // 64)
    parts = -(-len(site.s3.content("go/shop/some.csv")) // 500)
    assert operations.count("upload_part") == parts > 3
    assert operations.count("put_object") == 0
    assert site.s3.uploads == {}


def test_an_upload_of_just_one_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_objects, "PART", 10)
    for size in (0, 9, 10, 11, 20):
        s3 = S3()
        monkeypatch.setattr("tests.function.aws.bucket.LEAST_PART", 10)
        upload = Upload(Objects(s3), S3Location("out", "a"), "text/csv", {})
        content = os.urandom(size)
        for byte in range(size):
            upload.write(content[byte : byte + 1])
        upload.close()
        assert s3.content("a") == content


class Endless(S3):
    """One object of so many rows, made as it is read; what is uploaded is only counted."""

    HEAD, ROW = b"x0,x1,x2,x3\n", b"5.12,3.54,1.43,0.21\n"

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.sent = 0
        self._size = len(self.HEAD) + rows * len(self.ROW)

    def head_object(self, *, Bucket: str, Key: str) -> Any:
        if Bucket != "in":
            return super().head_object(Bucket=Bucket, Key=Key)
        return {"ETag": '"e"', "ContentLength": self._size}

    def get_object(self, *, Bucket: str, Key: str, Range: str, IfMatch: str) -> Any:
        start, end = map(int, Range.removeprefix("bytes=").split("-"))
        skip = max(0, start - len(self.HEAD)) % len(self.ROW)
        rows = self.ROW * ((end - start) // len(self.ROW) + 2)
        some = rows[skip:] if start else self.HEAD + rows
        return {"Body": io.BytesIO(some[: end + 1 - start])}

    def upload_part(self, *, Body: bytes, **more: Any) -> Any:
        self.sent += len(Body)
        return {"ETag": "x"}

    def complete_multipart_upload(self, **more: Any) -> Any:
        return {}


@pytest.mark.long
def test_memory_does_not_depend_on_the_size(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_objects, "RANGE", 2**14)
    monkeypatch.setattr(s3_objects, "PART", 2**14)
    peaks = []
    for rows in (500, 4_000, 16_000):  # the first one imports what is to be imported
        s3 = Endless(rows)
        site = Site(models, s3, rows=500)
        scoring = replace(site.scoring, log=lambda entry: None)
        objects = created(make_s3_event("come/iris/some.csv", "e"))
        assert objects is not None
        tracemalloc.start()
        assert answer(objects, scoring, None)["objects"][0]["rows"] == rows
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert s3.sent > rows * 50 // 2
    assert peaks[2] < 1.1 * peaks[1]


def test_a_batch_ends_where_a_request_would_be_too_large(models: Path) -> None:
    site = Site(models, S3(), Settings(max_unpacked_bytes=100))
    rows = [[*GOOD, "é" * 30] for _ in range(5)]
    for key, content in (
        ("shop/some.csv", as_csv([*NAMES, "note"], rows)),
        ("shop/some.jsonl", as_lines([{**SHOP, "note": "xy"}] * 5)),
    ):
        site.lines.clear()
        assert site.come(key, content)["rows"] == 5
        assert [line["rows"] for line in site.lines] != [5]
        assert sum(line["rows"] for line in site.lines) == 5
    for note in ("x" * 101, "x\n" * 101):
        long = as_csv([*NAMES, "note"], [[*GOOD, note]])
        assert site.come("shop/long.csv", long)["state"] == "refused"
        [problem] = problems_of(site, "go/shop/_long.csv.problems.jsonl")
        assert problem["detail"] == "expected rows of at most 100 characters, got a longer one"
        assert problem["status"] == 413


def test_a_row_that_never_ends_is_not_read_into_memory(models: Path) -> None:
    site = Site(models, S3(), Settings(max_unpacked_bytes=10_000))
    endless = as_csv(NAMES, [GOOD]) + b'"a\n",' * 2_000_000
    assert len(endless) > 2 * s3_objects.RANGE
    assert site.come("shop/some.csv", endless)["state"] == "refused"
    assert [operation for operation, _ in site.s3.calls].count("get_object") == 1


# ---- once


@pytest.mark.parametrize(("separator", "encoding"), [(";", "utf-8-sig"), ("\t", "utf-16")])
def test_a_file_as_a_spreadsheet_writes_it(site: Site, separator: str, encoding: str) -> None:
    rows = [[12.5, *GOOD[1:]], [1335.97, *GOOD[1:]]] * 3
    plain = site.over_http("shop", as_csv(NAMES, rows), "text/csv")
    german = as_csv(NAMES, rows).decode().replace(",", separator)
    german = german.replace("12.5", "12,50").replace("1335.97", "1.335,97")
    content = f"Verkäufe\r\n\r\n{german}".encode(encoding)
    outcome = site.come("some.csv", content, Metadata={"model": "shop"})
    assert (outcome["state"], outcome["rows"], outcome["unanswered"]) == ("answered", 6, 0)
    _, *lines = read_csv(site.s3.content("go/some.csv"))
    assert [line[0] for line in lines] == [str(each).lower() for each in plain["prediction"]]


def test_the_same_version_is_answered_once(site: Site) -> None:
    content = as_csv(NAMES, [GOOD, BAD])
    assert site.come("shop/some.csv", content)["state"] == "answered"
    site.s3.calls.clear()

    etag = site.s3.objects["in", "come/shop/some.csv"].etag
    assert [site.again("shop/some.csv", each)["state"] for each in (etag, "")] == ["again"] * 2
    assert {operation for operation, _ in site.s3.calls} == {"head_object"}
    assert len(site.lines) == 1

    assert site.come("shop/some.csv", as_csv(NAMES, [GOOD, GOOD]))["unanswered"] == 0
    assert site.s3.keys() == ["go/shop/some.csv"]  # the reasons of the older one are gone


def test_another_model_or_wish_answers_again(models: Path, calibrated: Path) -> None:
    site = Site(calibrated, S3())
    content = as_csv(["x0", "x1", "x2"], [[1, 2, 3]])
    assert site.come("line/some.csv", content)["state"] == "answered"
    assert read_csv(site.s3.content("go/line/some.csv"))[0] == ["prediction"]
    wished = site.come("line/some.csv", content, Metadata={"coverage": "0.9"})
    assert wished["state"] == "answered"
    header = ["prediction", "interval.low", "interval.high"]
    assert read_csv(site.s3.content("go/line/some.csv"))[0] == header
    kept = Site(calibrated, site.s3, Settings(score_keep=("x1",)))
    assert kept.again("line/some.csv")["state"] == "answered"
    assert read_csv(site.s3.content("go/line/some.csv"))[0] == ["x1", *header]
    assert kept.again("line/some.csv")["state"] == "again"
    marking = Site(calibrated, site.s3, Settings(unusual="on"))
    assert marking.again("line/some.csv")["state"] == "answered"
    assert read_csv(site.s3.content("go/line/some.csv"))[0] == [*header, "unusual"]
    refusing = Site(calibrated, site.s3, Settings(unusual="refuse"))
    assert refusing.again("line/some.csv")["state"] == "answered"
    assert read_csv(site.s3.content("go/line/some.csv"))[0] == header
    other = Site(calibrated, site.s3)
    other.service.repository.choose("line").manifest["files"]["model.onnx"] = "f" * 64
    assert other.again("line/some.csv")["state"] == "answered"


def test_a_refusal_is_written_once_and_goes_with_its_reason(site: Site) -> None:
    right, wrong = as_csv(NAMES, [GOOD]), as_csv(["a", "b"], [[1, 2]])
    assert site.come("shop/some.csv", right)["state"] == "answered"
    assert site.come("shop/some.csv", wrong)["state"] == "refused"
    assert site.s3.keys() == ["go/shop/_some.csv.problems.jsonl"]
    assert site.again("shop/some.csv")["state"] == "again"
    assert site.come("shop/some.csv", right)["state"] == "answered"
    assert site.s3.keys() == ["go/shop/some.csv"]


def test_an_event_of_an_older_version_is_passed_by(site: Site) -> None:
    old = site.s3.store("come/shop/some.csv", as_csv(NAMES, [BAD]))
    site.s3.store("come/shop/some.csv", as_csv(NAMES, [GOOD]))
    assert site.again("shop/some.csv", old)["state"] == "gone"
    del site.s3.objects["in", "come/shop/some.csv"]
    gone = Site(site.models, S3(may_list=True))
    assert gone.again("shop/some.csv", old)["state"] == "gone"
    assert site.s3.keys() == gone.s3.keys() == []


@pytest.mark.parametrize("operation", ["get_object", "upload_part"])
@pytest.mark.parametrize("removed", [False, True])
def test_an_object_that_changes_while_it_is_read_is_left(
    models: Path, operation: str, removed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(models, S3(may_list=True))
    monkeypatch.setattr(s3_objects, "RANGE", 200)
    monkeypatch.setattr(s3_objects, "PART", 500)
    seen: list[str] = []

    def change(called: str, key: str) -> None:
        seen.append(called)
        if called == operation and seen.count(called) == 2:
            site.s3.store("come/shop/some.csv", as_csv(NAMES, [GOOD]))
            if removed:
                del site.s3.objects["in", "come/shop/some.csv"]

    site.s3.before = change
    assert site.come("shop/some.csv", as_csv(NAMES, [GOOD] * 60))["state"] == "gone"
    assert site.s3.keys() == []
    assert site.s3.uploads == {}


def test_an_object_that_changes_once_it_was_read_is_left(site: Site) -> None:
    asked: list[str] = []

    def change(called: str, key: str) -> None:
        asked.append(f"{called} {key}")
        if asked.count("head_object come/shop/some.csv") == 2:
            site.s3.store("come/shop/some.csv", as_csv(NAMES, [GOOD]))

    site.s3.before = change
    assert site.come("shop/some.csv", as_csv(NAMES, [BAD]))["state"] == "gone"
    assert site.s3.keys() == []


# ---- refused


REFUSED: dict[str, tuple[str, bytes, int, str]] = {
    "Parquet": (
        *("some.parquet", b"PAR1", 415),
        "onnxlet score MODEL 's3://in/come/shop/some.parquet' OUT",
    ),
    "text": ("some.txt", b"x", 415, "'some.txt' is neither CSV nor JSON Lines"),
    "JSON": ("some.json", b"[]", 415, "a row in JSON on each line (.jsonl)"),
    "nothing": ("some.csv", b"", 400, "the CSV has no header"),
    "blank lines": ("some.csv", b"\n\n", 400, "the CSV has no header"),
    "other columns": ("some.csv", as_csv(["a"], []), 422, "the header names no column of"),
    "a column twice": ("some.csv", as_csv([*NAMES, NAMES[0]], [[*GOOD, 1]]), 422, "stands twice"),
    "an open quote": ("some.csv", as_csv(NAMES, [GOOD]) + b'"open', 400, "the object is not CSV"),
    "no UTF-8": ("some.csv", as_csv(NAMES, [GOOD] * 8) + b"\xff", 400, "byte 154 is not UTF-8"),
    "an open quote, between semicolons": (
        *("some.csv", as_csv(NAMES, [GOOD]).replace(b",", b";") + b'"open', 400),
        "it is not CSV",
    ),
    "a PDF": ("some.csv", b"%PDF-1.7", 400, "is a PDF, and no table"),
    "gzip cut off": (
        *("some.csv.gz", gzip.compress(as_csv(NAMES, [GOOD]))[:-9], 400),
        "not gzip, or not all",
    ),
    "no gzip": ("some.csv.gz", b"\x1f\x8bx", 400, "not gzip, or not all"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused_for_good(site: Site, kind: str) -> None:
    key, content, status, told = REFUSED[kind]
    outcome = site.come(f"shop/{key}", content)

    assert outcome["state"] == "refused"
    [problem] = problems_of(site, f"go/shop/_{key}.problems.jsonl")
    assert list(problem) == ["row", "column", "detail", "status", "hint"]
    assert problem["status"] == status
    assert told in f"{problem['detail']} {problem['hint']}"
    assert site.s3.keys() == [f"go/shop/_{key}.problems.jsonl"]
    assert site.lines[-1]["status"] == status
    assert site.s3.uploads == {}


def test_every_column_that_is_missing_is_named_once(models: Path) -> None:
    site = Site(models, S3(), Settings(score_keep=("id",)))
    names = [NAMES[0], "cuont", NAMES[3]]
    site.come("shop/some.csv", as_csv(names, [[1, 2, 3]] * 100))

    assert [(p["column"], p["detail"]) for p in problems_of(
        site, "go/shop/_some.csv.problems.jsonl")] == [
        ("count", "missing column; did you mean 'cuont'?"),
        ("new", "missing column"),
        ("id", "missing column, to be kept"),
    ]  # fmt: skip


def test_a_media_type_stands_for_a_suffix(site: Site) -> None:
    content = as_csv(NAMES, [GOOD])
    for media_type in ("text/csv", "text/CSV; charset=utf-8"):
        assert site.come("shop/x", content, ContentType=media_type)["state"] != "refused"
    lines = site.come("shop/y", as_lines([SHOP]), ContentType="application/x-ndjson")
    assert lines["state"] == "answered"


@pytest.mark.parametrize(
    "key", ["shop/", "shop/_SUCCESS", "shop/.part.csv", "_temporary/0/some.csv", "a/.b/c.csv"]
)
def test_what_readers_of_folders_pass_over(site: Site, key: str) -> None:
    assert site.come(key, as_csv(NAMES, [GOOD]))["state"] == "passed over"
    assert site.s3.keys() == []


def test_an_object_of_another_place_is_not_answered(site: Site) -> None:
    site.s3.store("elsewhere/some.csv", as_csv(NAMES, [GOOD]))
    site.s3.store("come/some.csv", as_csv(NAMES, [GOOD]), bucket="other")
    for event in (make_s3_event("elsewhere/some.csv"), make_s3_event("come/x", bucket="other")):
        found = created(event)
        assert found is not None
        [outcome] = answer(found, site.scoring, site.context())["objects"]
        assert outcome["state"] == "passed over"
    assert [line["error"] for line in site.lines] == ["OtherPlace"] * 2


# ---- later


@pytest.fixture
def slow(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(deadline, "_watchdog", None)  # as on Lambda, whatever ran before
    add_slow(models / "iris" / "1", tmp_path / "slow" / "1", turns=10**11)
    add_slow(models / "shop" / "1", tmp_path / "shop" / "1", turns=0)
    return Site(tmp_path, S3(), seconds=2)


ENDLESS = as_csv(["x0", "x1", "x2", "x3"], [[5.1, 3.5, 1.4, 0.2]])


def test_what_takes_too_long_is_refused_with_how_to_score_it(slow: Site) -> None:
    assert slow.come("slow/some.csv", ENDLESS)["state"] == "refused"

    [problem] = problems_of(slow, "go/slow/_some.csv.problems.jsonl")
    assert "too large to be answered in 2 seconds" in problem["detail"]
    assert problem["hint"] == (
        "Split it, or score it on a machine: onnxlet score MODEL 's3://in/come/slow/some.csv' OUT"
    )
    assert problem["status"] == 413
    assert deadline._watchdog is None
    assert deadline._now.ends == deadline.NEVER


@pytest.mark.long
@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_blank_lines_that_unpack_without_end_take_no_longer(slow: Site, suffix: str) -> None:
    """Some kilobytes of gzip make no batch, so that nothing else looks at the time."""
    slow.seconds = 1
    packer = zlib.compressobj(wbits=31)
    content = packer.compress(b",".join(n.encode() for n in NAMES) + b"\n" * (suffix == "csv"))
    content += b"".join(packer.compress(b"\n" * 2**20) for _ in range(2**8)) + packer.flush()

    assert slow.come(f"shop/some.{suffix}.gz", content)["state"] == "refused"
    [problem] = problems_of(slow, f"go/shop/_some.{suffix}.gz.problems.jsonl")
    assert "too large to be answered in 1 seconds" in problem["detail"]


def test_what_would_take_too_long_is_not_gone_on_with(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(models, S3(), seconds=60)
    monkeypatch.setattr(s3_objects, "RANGE", 100)
    monkeypatch.setattr(object_run, "FIRST_SHARE", 0.0)
    monkeypatch.setattr(object_run, "MARGIN", 0.0)
    outcome = site.come("shop/some.csv", as_csv(NAMES, [GOOD] * 100))

    assert outcome["state"] == "refused"
    assert outcome["rows"] == ROWS


@pytest.mark.long
def test_a_message_behind_one_that_takes_all_the_time_comes_again(
    slow: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow.seconds = 4
    monkeypatch.setattr(s3_events, "WHOLE_SHARE", 0.2)  # the first may take long on a busy machine
    messages = []
    for number, (key, content) in enumerate(
        [("shop/a.csv", as_csv(NAMES, [GOOD])), ("slow/b.csv", ENDLESS), ("slow/c.csv", ENDLESS)]
    ):
        etag = slow.s3.store(f"come/{key}", content)
        found = created(make_s3_event(f"come/{key}", etag))
        assert found is not None
        messages.append((f"message-{number}", found))

    assert answer_messages(messages, slow.scoring, slow.context()) == ["message-2"]
    assert slow.s3.keys() == ["go/shop/a.csv", "go/slow/_b.csv.problems.jsonl"]
    # Behind requests of the same batch nobody knows what it would have had.
    again = answer_messages(messages[2:], slow.scoring, slow.context(), first=False)
    assert again == ["message-2"]


@pytest.mark.parametrize(
    "operation",
    [
        *("head_object", "get_object", "put_object"),
        *("create_multipart_upload", "upload_part", "complete_multipart_upload"),
    ],
)
def test_where_s3_fails_the_event_comes_again(
    models: Path,
    operation: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    site = Site(models, S3())
    if operation in ("create_multipart_upload", "upload_part", "complete_multipart_upload"):
        monkeypatch.setattr(s3_objects, "PART", 500)
        monkeypatch.setattr("tests.function.aws.bucket.LEAST_PART", 500)

    def fail(called: str, key: str) -> None:
        if called == operation:
            raise ClientError("SlowDown")

    site.s3.before = fail
    content = as_csv(NAMES, [[GOOD[0], "canary", *GOOD[2:]]] + [GOOD] * 60)
    with pytest.raises(NotAnswered, match="1 of 1 objects not answered: ClientError"):
        site.come("shop/some.csv", content)
    assert ("out", "go/shop/some.csv") not in site.s3.objects
    assert site.s3.uploads == {} or operation == "complete_multipart_upload"
    assert site.lines[-1]["status"] == 503
    assert "canary" not in capfd.readouterr().err

    site.s3.before = lambda called, key: None
    assert site.again("shop/some.csv")["state"] == "answered"


def test_a_source_that_may_not_be_read_is_a_failure(site: Site) -> None:
    with pytest.raises(NotAnswered, match="ClientError"):
        site.again("shop/not-there.csv", "x")  # S3 says 403 to whom may not list


def test_a_failure_of_the_function_s_own_is_tried_again(
    site: Site, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*args: Any, **more: Any) -> Any:
        raise RuntimeError("".join(["can", "ary"]))

    monkeypatch.setattr("onnxlet.function.models.model.Model.run", broken)
    with pytest.raises(NotAnswered, match="1 of 1 objects not answered: RuntimeError"):
        site.come("shop/some.csv", as_csv(NAMES, [GOOD]))
    log = capfd.readouterr().err
    assert "canary" not in log
    assert "in broken" in log


def test_without_the_settings_nothing_can_be_answered(models: Path, site: Site) -> None:
    service = site.service._replace(settings=Settings(models))
    with pytest.raises(SettingsError, match="ONNXLET_SCORE_FROM and ONNXLET_SCORE_TO are not set"):
        s3_events.scoring_of(service, lambda entry: None, Objects(S3()))
