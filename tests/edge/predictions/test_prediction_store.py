"""Answers that are kept, truths that are joined to them, and what the server says of both."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate
from paho.mqtt.client import MQTTMessage
from sklearn import metrics

from onnxlet.edge.mqtt.service import Responder
from onnxlet.edge.predictions.prediction_store import PredictionStore
from onnxlet.edge.reload.reloader import Reloader
from onnxlet.edge.service.app import make_app
from onnxlet.edge.service.secret import Secret
from onnxlet.edge.store import writer
from onnxlet.edge.store.database import bytes_used, identity, transaction
from onnxlet.function.app import SERVICE
from onnxlet.function.settings import Settings
from tests.conftest import Client, at_once, client_of, running_server, through_socket
from tests.edge.forward.endpoint import listening, wait_until
from tests.edge.service.test_serve import CLEAN
from tests.function.serving.test_predict import HOUSE, SHOP

IRIS = "/models/iris/predict"
FLOWERS = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3], [5.9, 3.0, 4.2, 1.5]]


class Kept:
    """An app that keeps its answers."""

    def __init__(
        self, models: Path, path: Path, secret: Secret, link: Any = None, **bounds: Any
    ) -> None:
        self.models = models
        self.lines: list[dict[str, Any]] = []
        bounds = {"max_mb": 100, "max_days": 90, **bounds}
        self.keep = PredictionStore(path, log=self.lines.append, **bounds)
        settings = Settings(models, owned=True, reload_seconds=0)
        app = make_app(
            models, None, secret, lambda entry: None, settings=settings, keep=self.keep, link=link
        )
        self.service = app.extensions[SERVICE]
        self.client: Client = client_of(app)

    def predict(self, name: str, rows: list[Any], path: str = IRIS, query: str = "") -> Any:
        answer = self.client.post(path + query, {"instances": rows}, {"X-Request-Id": name})
        assert answer.status == 200, answer.body
        return answer.json()

    def truth(self, *entries: tuple[str, int, Any]) -> Any:
        return self.client.post("/truth", said(*entries)).json()

    def report(self, name: str = "iris") -> Any:
        return self.keep.report(self.service.repository.choose(name))


def said(*entries: tuple[str, int, Any]) -> dict[str, Any]:
    return {"truth": [{"id": id_, "row": row, "value": value} for id_, row, value in entries]}


Make = Callable[..., Kept]


@pytest.fixture(autouse=True)
def _each_row_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """In most tests here figures show which rows were joined."""
    monkeypatch.setattr("onnxlet.edge.predictions.performance.BLOCK", 1)


@pytest.fixture
def make(models: Path, tmp_path: Path) -> Iterator[Make]:
    made: list[Kept] = []

    def one(path: Path | None = None, **bounds: Any) -> Kept:
        made.append(Kept(models, path or tmp_path / "kept" / "kept.db", Secret("s" * 32), **bounds))
        return made[-1]

    yield one
    for each in made:
        each.keep.stop()


@pytest.fixture
def kept(make: Make) -> Kept:
    return make()


def counts(
    kept: int, joined: int, again: int = 0, taken: int = 0, unknown: int = 0
) -> dict[str, int]:
    among = {"again": again, "taken": taken, "unknown": unknown}
    return {"kept": kept, "joined": joined, **among}


def test_truth_is_joined_by_id_and_row(kept: Kept) -> None:
    answer = kept.predict("a", FLOWERS)

    assert kept.truth(("a", 2, answer["prediction"][2]), ("a", 0, 7)) == counts(2, 2)
    report = kept.report()
    assert (report["rows"], report["accuracy"], report["unknown_labels"]) == (2, 0.5, 1)
    assert kept.service.performance is kept.keep


def test_a_row_has_one_truth(kept: Kept) -> None:
    right = kept.predict("a", FLOWERS)["prediction"]

    assert kept.truth(("a", 0, right[0])) == counts(1, 1)
    assert kept.truth(("a", 0, 7), ("a", 1, right[1])) == counts(1, 1, again=1)
    assert kept.truth(("a", 2, right[2]), ("a", 2, 7)) == counts(1, 1, again=1), "in one request"
    assert kept.report()["accuracy"] == 1.0
    assert kept.report()["rows"] == 3


def test_what_is_not_here_is_unknown_until_it_is(kept: Kept) -> None:
    early = ("a", 0, 0)

    assert kept.truth(early, ("a", 3, 0), ("b", 0, 0)) == counts(0, 0, unknown=3)
    kept.predict("a", FLOWERS)
    assert kept.truth(early, ("a", 3, 0)) == counts(1, 1, unknown=1)


def test_of_an_id_that_comes_again_the_first_answer_counts(kept: Kept) -> None:
    first = kept.predict("a", FLOWERS[:1])["prediction"][0]
    second = kept.predict("a", FLOWERS[1:])["prediction"][0]
    assert first != second

    assert kept.truth(("a", 0, first), ("a", 1, first)) == counts(1, 1, taken=1, unknown=1)
    assert kept.report()["accuracy"] == 1.0


def test_a_repeated_request_takes_no_id(kept: Kept) -> None:
    """A client that had no answer sends it again: there is one truth to both."""
    right = kept.predict("a", FLOWERS)["prediction"]
    kept.predict("a", FLOWERS)

    assert kept.truth(("a", 0, right[0])) == counts(1, 1)


def test_the_newest_is_last_whatever_the_order_of_rows(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten thousand in one request, in another order, of a batch that is kept in parts."""
    monkeypatch.setattr("onnxlet.edge.predictions.performance.BLOCK", 20)  # as it is: it takes long
    kept = make()
    rows = [FLOWERS[n % 3] for n in range(10_000)]
    right = kept.predict("a", rows)["prediction"]
    order = np.random.default_rng(3).permutation(10_000).tolist()
    start = time.process_time()  # of the processor's time, since others use it, too
    values = [right[row] if n >= 8000 else 7 for n, row in enumerate(order)]

    assert kept.truth(*zip(["a"] * 10_000, order, values, strict=True)) == counts(10_000, 10_000)
    assert time.process_time() - start < 5
    report = kept.report()
    assert (report["rows"], report["accuracy"]) == (1000, 1.0)
    assert (report["total"]["rows"], report["total"]["accuracy"]) == (10_000, 0.2)


def test_no_figure_is_of_a_few_rows(models: Path, tmp_path: Path) -> None:
    """Nor after a restart, nor as the difference of two reports."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("onnxlet.edge.predictions.performance.BLOCK", 20)
        kept = Kept(models, tmp_path / "kept.db", Secret())
        right = kept.predict("a", FLOWERS * 20)["prediction"]
        seen: list[Any] = []
        for row in range(45):
            kept.truth(("a", row, right[row]))
            found = kept.client.get("/models/iris/drift").json()["realised"]
            seen.append(found and (found["rows"], found["total"]["rows"]))
        report = kept.report()
        kept.keep.stop()
        again = Kept(models, tmp_path / "kept.db", Secret())
        after = again.report()
        again.keep.stop()

    assert seen == [None] * 19 + [(20, 20)] * 20 + [(40, 40)] * 6
    assert after == report


def test_figures_are_scikit_learn_s_with_all_digits(kept: Kept) -> None:
    random = np.random.default_rng(5)
    rows = random.uniform([4, 2, 1, 0.1], [8, 4.5, 7, 2.5], size=(300, 4)).tolist()
    answer = kept.predict("a", rows)
    truths = random.integers(3, size=300).tolist()
    kept.truth(*zip(["a"] * 300, range(300), truths, strict=True))

    report = kept.report()
    assert report["accuracy"] == metrics.accuracy_score(truths, answer["prediction"])
    assert report["f1"] == pytest.approx(
        metrics.f1_score(truths, answer["prediction"], average="macro")
    )
    sure = np.array(answer["probabilities"]).max(axis=1)
    means = {each["rows"]: each["confidence"] for each in report["calibration"]}
    assert sum(n * mean for n, mean in means.items()) / 300 == pytest.approx(sure.mean(), abs=1e-7)


def test_numbers(kept: Kept) -> None:
    path = "/models/house-prices/predict"
    answered = kept.predict("a", [HOUSE, HOUSE, HOUSE], path)["prediction"]
    kept.truth(("a", 0, 160_000), ("a", 2, 162_000.5))

    report = kept.report("house-prices")
    truths = [160_000, 162_000.5]
    assert (report["rows"], report["mean_absolute_error"]) == (
        2, pytest.approx(metrics.mean_absolute_error(truths, answered[::2])),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("model", "row", "value", "why"),
    [
        ("iris", FLOWERS[0], "setosa", "expected a whole number, got a string"),
        ("iris", FLOWERS[0], 1.5, "expected a whole number, got 1.5"),
        ("iris", FLOWERS[0], True, "expected a whole number, got a boolean"),
        ("iris", FLOWERS[0], None, "expected a whole number, got null"),
        ("shop", SHOP, 1, "expected true or false, got a number"),
        ("shop", SHOP, [True], "expected true or false, got a list"),
        ("house-prices", HOUSE, "162000", "expected a number, got a string"),
        ("house-prices", HOUSE, True, "expected a number, got a boolean"),
        ("house-prices", HOUSE, 10**400, f"expected a number, got 1{'0' * 59}"),
        ("house-prices", HOUSE, [1.5], "expected a number, got [1.5]"),
        ("house-prices", HOUSE, {"a": 1}, "expected a number, got an object"),
    ],
)
def test_a_truth_of_another_type_is_located_and_nothing_is_joined(
    kept: Kept, model: str, row: Any, value: Any, why: str
) -> None:
    right = kept.predict("a", [row, row], f"/models/{model}/predict")["prediction"][0]
    answer = kept.client.post("/truth", said(("x", 0, 1), ("a", 0, right), ("a", 1, value)))

    assert answer.status == 422
    detail = f"entry 2 (id 'a'): 'value': {why}"
    assert answer.json()["detail"] == detail, "an entry has a row of its own"
    assert answer.json()["errors"] == [{"row": 2, "column": None, "detail": detail}]
    assert kept.report(model) is None
    assert kept.truth(("a", 0, right)) == counts(1, 1)


def test_rows_that_were_not_answered_are_unknown(kept: Kept) -> None:
    bad = {**HOUSE, "Lot_Area": "secret text"}
    path = "/models/house-prices/predict"
    kept.predict("a", [bad, HOUSE, bad], path, "?on_error=null")

    assert kept.truth(*(("a", row, 1.0) for row in range(3))) == counts(1, 1, unknown=2)


def test_nothing_of_the_rows_is_kept(kept: Kept, tmp_path: Path) -> None:
    kept.predict("a", [{**HOUSE, "Neighborhood": "NAmes"}], "/models/house-prices/predict")
    kept.truth(("a", 0, 1.0))
    kept.keep.stop()

    content = b"".join(file.read_bytes() for file in (tmp_path / "kept").iterdir())
    assert b"house-prices" in content
    assert b"NAmes" not in content
    assert b"Lot_Area" not in content


def test_requests_of_the_server_s_own_are_not_kept(kept: Kept) -> None:
    kept.predict("s" * 32, FLOWERS)

    assert kept.truth(("s" * 32, 0, 0)) == counts(0, 0, unknown=1)


def test_every_protocol_is_kept(kept: Kept) -> None:
    tensor = {"name": "input", "datatype": "FP64", "shape": [1, 4], "data": FLOWERS[0]}
    for name, path, body in (
        ("native", IRIS, {"instances": FLOWERS[:1]}),
        ("v1", "/v1/models/iris:predict", {"instances": FLOWERS[:1]}),
        ("v2", "/v2/models/iris/infer", {"inputs": [tensor]}),
    ):
        assert kept.client.post(path, body, {"X-Request-Id": name}).status == 200

    assert kept.truth(("native", 0, 0), ("v1", 0, 0), ("v2", 0, 0)) == counts(3, 3)


def test_a_restart_counts_what_was_joined_anew(make: Make, tmp_path: Path) -> None:
    kept = make()
    right = kept.predict("a", FLOWERS * 800)["prediction"]
    kept.truth(*(("a", row, right[row]) for row in range(2400)))
    window = kept.report()
    kept.keep.stop()

    again = make(tmp_path / "kept" / "kept.db")
    assert again.truth(("a", 5, right[5])) == counts(0, 0, again=1), "which waits for the disk"
    report = again.report()
    assert report["total"]["rows"] == 2000, "the newest"
    assert (report["rows"], report["accuracy"]) == (1000, window["accuracy"])


def test_a_restart_has_the_figures_before_any_record(make: Make) -> None:
    kept = make()
    right = kept.predict("a", FLOWERS)["prediction"]
    kept.truth(("a", 0, right[0]), ("a", 1, 7))
    report = kept.report()
    kept.keep.stop()

    assert make().report() == report
    again = make()
    wait_until(lambda: ("iris", 1) in again.keep._realised)  # nobody has asked for it
    assert again.client.get("/models/iris/drift").json()["realised"] == report


def test_a_restart_has_those_of_a_version_that_is_asked_for(own: Path, tmp_path: Path) -> None:
    kept = Kept(own, tmp_path / "kept.db", Secret())
    right = kept.predict("a", FLOWERS)["prediction"]
    kept.truth(("a", 0, right[0]))
    kept.keep.stop()
    shutil.copytree(own / "iris" / "1", own / "iris" / "2")
    again = Kept(own, tmp_path / "kept.db", Secret())

    assert again.client.get("/models/iris/drift").json()["realised"] is None
    former = again.client.get("/models/iris/drift?version=1").json()
    assert (former["version"], former["realised"]["rows"]) == (1, 1)
    again.keep.stop()


def test_no_start_waits_for_the_disk_and_a_report_only_once(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make().keep.stop()
    monkeypatch.setattr(writer, "DISK_TIMEOUT_SECONDS", 0.5)
    path = tmp_path / "kept" / "kept.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other, transaction(other):
        kept = make()
        start = time.monotonic()
        assert [kept.report() for _ in range(60)] == [None] * 60
        assert time.monotonic() - start < 20  # 30, where each waits


def test_an_odd_manifest_is_its_model_s_fault_and_not_the_disk_s(
    models: Path, own: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A classifier whose estimate is a regressor's, as by a build of another release."""
    shutil.copytree(models / "shop", own / "shop")
    kept = Kept(own, tmp_path / "kept.db", Secret())
    odd = kept.service.repository.choose("iris")
    odd.manifest["estimate"] = {"rows": 9, "edges": [1.0], "absolute_error": [1.0, 2.0]}
    right = kept.predict("s", [SHOP], "/models/shop/predict")["prediction"]
    of_odd = kept.predict("i", FLOWERS)["prediction"]

    assert kept.truth(("s", 0, right[0]), ("i", 0, of_odd[0])) == counts(2, 2)
    assert kept.truth(("i", 1, of_odd[1])) == counts(1, 1)
    assert kept.report("iris") is None
    assert kept.report("shop")["rows"] == 1
    kept.keep.stop()
    assert kept.lines == []
    events = [line for line in capfd.readouterr().err.splitlines() if '"event":"keep"' in line]
    assert len(events) == 1
    assert '"model":"iris"' in events[0]


def test_a_new_version_begins_anew_and_the_former_comes_back(own: Path, tmp_path: Path) -> None:
    kept = Kept(own, tmp_path / "kept.db", Secret())
    reloader = Reloader(kept.service.repository)
    right = kept.predict("a", FLOWERS)["prediction"]
    kept.truth(("a", 0, right[0]))
    shutil.copytree(own / "iris" / "1", own / "iris" / "2")
    for _ in range(2):
        reloader.refresh()

    assert kept.predict("b", FLOWERS)["version"] == 2
    assert kept.report() is None
    assert kept.truth(("a", 1, right[1]), ("b", 0, right[0])) == counts(2, 2)
    assert kept.report()["rows"] == 1
    shutil.rmtree(own / "iris" / "2")
    for _ in range(2):
        reloader.refresh()
    kept.truth(("a", 2, right[2]))
    assert kept.report()["rows"] == 3, "those that came meanwhile too"
    kept.keep.stop()


def test_truths_from_many_threads_are_joined_once(kept: Kept) -> None:
    right = kept.predict("a", FLOWERS * 30)["prediction"]
    joined: list[int] = []

    def send() -> None:
        for row in range(90):
            joined.append(kept.truth(("a", row, right[row]))["joined"])

    at_once(*[send] * 6)

    assert (len(joined), sum(joined)) == (540, 90)
    assert kept.report()["rows"] == 90


def test_a_truth_right_after_its_prediction_is_always_joined(models: Path, tmp_path: Path) -> None:
    """Eight clients of a real server: no prediction waits for the disk, and no truth overtakes."""
    environ = {**CLEAN, "ONNXLET_KEEP": str(tmp_path / "kept.db")}
    got: list[Any] = []

    def ask() -> None:
        client = Client(through_socket(server.port))
        for _ in range(15):
            answer = client.post(IRIS, {"instances": FLOWERS})
            right = answer.json()["prediction"]
            entries = [(answer.headers["x-request-id"], row, right[row]) for row in range(3)]
            got.append(client.post("/truth", said(*entries)).json())

    with running_server(models, environ, tmp_path / "log") as server:
        at_once(*[ask] * 8)

    assert got == [counts(3, 3)] * 120


def test_without_a_disk_answers_go_on_and_truths_are_refused(make: Make, tmp_path: Path) -> None:
    away = tmp_path / "away"
    away.write_text("")
    kept = make(away / "kept.db")
    kept.predict("a", FLOWERS)

    answer = kept.client.post("/truth", said(("a", 0, 0)))
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert kept.report() is None
    away.unlink()
    wait_until(lambda: kept.client.post("/truth", said(("a", 0, 0))).json() == counts(1, 1))
    assert kept.report()["rows"] == 1
    assert [line["state"] for line in kept.lines] == ["not keeping", "keeping"]
    assert {line["event"] for line in kept.lines} == {"keep"}


def test_where_the_database_is_locked_nobody_waits_for_long(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = kept.predict("a", FLOWERS)["prediction"]
    assert kept.truth(("a", 0, right[0])) == counts(1, 1)
    monkeypatch.setattr(writer, "DISK_TIMEOUT_SECONDS", 0.5)
    path = tmp_path / "kept" / "kept.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other, transaction(other):
        start = time.monotonic()
        for number in range(50):
            kept.predict(f"b{number}", FLOWERS)
            assert kept.client.post("/truth", said((f"b{number}", 0, 0))).status == 503
        assert kept.report()["rows"] == 1
        assert time.monotonic() - start < 18  # 25, where each waits


def test_what_is_ours_is_set_aside_when_it_breaks(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "kept.db"
    before = make(path)
    before.predict("a", FLOWERS)
    before.keep.stop()
    with path.open("r+b") as file:
        file.seek(100)  # behind the header, which says whose it is
        file.write(b"no page at all" * 1000)
    kept = make(path)
    right = kept.predict("a", FLOWERS)["prediction"]
    wait_until(lambda: kept.client.post("/truth", said(("a", 0, right[0]))).status == 200)

    assert b"no page at all" in (tmp_path / "kept.db.broken").read_bytes()


def test_what_was_opened_as_ours_is_set_aside_even_without_its_header(
    make: Make, tmp_path: Path
) -> None:
    path = tmp_path / "kept.db"
    kept = make(path)
    kept.truth(("a", 0, 0))  # which waits until it is open
    path.write_bytes(b"noise" * 2000)  # in its place: what is open has its pages in memory
    error = sqlite3.DatabaseError("file is not a database")
    error.sqlite_errorcode = sqlite3.SQLITE_NOTADB

    assert kept.keep._is_broken(error, identity(path))
    assert not kept.keep._is_broken(error, None)
    assert not kept.keep._is_broken(OSError("no room"), identity(path))
    fresh = PredictionStore(path, 100, 90)
    assert not fresh._is_broken(error, identity(path)), "which has not seen it whole"


@pytest.mark.long
def test_a_device_s_own_file_is_set_aside_whatever_became_of_it(
    models: Path, tmp_path: Path
) -> None:
    """Nobody has named it, and nobody is there to take it away."""
    path = tmp_path / "kept.db"
    path.write_bytes(b"no database at all" * 1000)
    kept = Kept(models, path, Secret(), named=False)
    wait_until(lambda: len(kept.lines) >= 3)
    kept.keep.stop()

    assert [line["state"] for line in kept.lines] == ["not keeping", "set aside", "keeping"]
    assert (tmp_path / "kept.db.broken").read_bytes().startswith(b"no database")


def test_the_oldest_make_room_and_a_window_of_truths_stays(make: Make, tmp_path: Path) -> None:
    kept = make(max_mb=1)
    right = kept.predict("first", FLOWERS * 20)["prediction"]
    kept.truth(*(("first", row, right[row]) for row in range(60)))
    for number in range(40):
        kept.predict(f"more-{number}", FLOWERS * 200)
    kept.truth(("none", 0, 0))  # which has all of them written, before the next ones are looked up
    assert kept.truth(("first", 0, right[0]), ("more-39", 0, right[0])) == counts(1, 1, unknown=1)
    kept.keep.stop()

    path = tmp_path / "kept" / "kept.db"
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM joined").fetchone() == (61,)
        assert bytes_used(database) < 1e6
    again = make(path)
    assert again.truth(("more-39", 0, right[0])) == counts(0, 0, again=1)
    assert again.report()["rows"] == 61


def test_a_server_keeps_over_a_restart_what_it_answered_before_its_end(
    models: Path, tmp_path: Path
) -> None:
    environ = {**CLEAN, "ONNXLET_KEEP": str(tmp_path / "kept.db")}
    with running_server(models, environ, tmp_path / "log") as server:
        client = Client(through_socket(server.port))
        answer = client.post(IRIS, {"instances": FLOWERS})
        name, right = answer.headers["x-request-id"], answer.json()["prediction"]
        early = client.post("/truth", said((name, 1, right[1]))).json()
        for _ in range(20):
            assert client.post(IRIS, {"instances": FLOWERS}).status == 200
    with closing(sqlite3.connect(tmp_path / "kept.db")) as database:
        [(rows, body)] = database.execute("SELECT count(*), max(body) FROM answer").fetchall()
    with running_server(models, environ, tmp_path / "log") as server:
        client = Client(through_socket(server.port))
        late = client.post("/truth", said((name, 0, right[0]), (name, 1, right[1]))).json()

    assert rows == 21
    assert set(json.loads(body)) == {"prediction", "probabilities"}
    assert (early, late) == (counts(1, 1), counts(1, 1, again=1))
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_a_device_that_forwards_joins_what_it_has_sent(models: Path, tmp_path: Path) -> None:
    """Its record is forgotten once it has arrived: the answer is kept beside the queue."""
    environ = {
        **CLEAN,
        "ONNXLET_DEVICE_FORWARD_SECONDS": "1",
        "ONNXLET_DEVICE_QUEUE": str(tmp_path / "state" / "queue.db"),
    }
    with listening(None) as endpoint:
        environ["ONNXLET_DEVICE_FORWARD_URL"] = endpoint.url
        with running_server(models, environ, tmp_path / "log") as server:
            client = Client(through_socket(server.port))
            right = client.post(IRIS, {"instances": FLOWERS}, {"X-Request-Id": "a"}).json()
            wait_until(lambda: len(endpoint.records) == 1)
            body = said(("a", 0, right["prediction"][0]), ("other", 0, 1))
            sent = client.post("/truth", body).json()
            wrong = client.post("/truth", said(("a", 1, "setosa")))
            wait_until(lambda: len(endpoint.records) == 2)

    assert sent == counts(2, 1, unknown=1), "what is unknown here is sent on all the same"
    assert wrong.status == 422
    assert endpoint.records[1]["truth"] == body["truth"], "what is refused is not"
    assert sorted(each.name for each in (tmp_path / "state").glob("*.db")) == [
        "kept.db", "queue.db",
    ]  # fmt: skip


def test_readings_by_mqtt_are_kept_for_the_server_beside(kept: Kept, tmp_path: Path) -> None:
    """Two processes share the file: one answers readings, the other takes their truth."""
    other = PredictionStore(tmp_path / "kept" / "kept.db", 100, 90)
    responder = Responder(kept.models, Settings(kept.models, reload_seconds=0), None, "iris", other)
    message = MQTTMessage(topic=b"readings")
    message.payload = json.dumps({"instances": FLOWERS}).encode()
    status, _, body = responder.answer(message)
    other.stop()
    with closing(sqlite3.connect(tmp_path / "kept" / "kept.db")) as database:
        [(name,)] = database.execute("SELECT id FROM answer").fetchall()

    assert status == 200
    right = json.loads(body)["prediction"][0]
    assert kept.truth((name, 0, right)) == counts(1, 1)
    assert kept.report()["accuracy"] == 1.0


def test_the_route_is_described_where_answers_are_kept(make: Make) -> None:
    document = make().client.get("/openapi.json").json()
    validate({**document, "paths": {"/truth": document["paths"]["/truth"]}})  # the rest is others'
    operation = document["paths"]["/truth"]["post"]
    [content] = operation["responses"]["200"]["content"].values()

    assert OAS31Validator(content["schema"]).is_valid(counts(1, 1))
