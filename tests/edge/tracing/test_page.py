"""docs/how-to/tracing.md has the variables, attributes, metrics and bounds as they are."""

from __future__ import annotations

import re
from pathlib import Path

from onnxlet.edge.service.app import start_tracing
from onnxlet.edge.service.metrics import _tracing
from onnxlet.edge.tracing import exporter, settings, spans
from tests.conftest import ROOT

TEXT = (ROOT / "docs" / "how-to" / "tracing.md").read_text()


class Asked(dict[str, str]):
    """An environment that notes what is asked for."""

    def __init__(self, **values: str) -> None:
        super().__init__(values)
        self.names: set[str] = set()

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
        self.names.add(name)
        return super().get(name, default)


def test_the_variables() -> None:
    asked = Asked(OTEL_EXPORTER_OTLP_ENDPOINT="http://c")
    assert start_tracing(asked)
    asked["OTEL_EXPORTER_OTLP_TRACES_HEADERS"] = "key=1"
    assert start_tracing(asked)

    not_read = {"OTEL_EXPORTER_OTLP_PROTOCOL"}
    assert asked.names == set(re.findall(r"`(OTEL_[A-Z_]+)`", TEXT)) - not_read
    samplers = {f"`{name}`" for name in settings.SHARES} | {f"`{settings.PARENT_BASED}`"}
    assert all(name in TEXT for name in samplers)


def test_the_attributes() -> None:
    named = set(re.findall(r"`((?:http|url|onnxlet|error)\.[a-z_.]+)`", TEXT))
    source = Path(spans.__file__).read_text()
    assert named == set(re.findall(r'"((?:http|url|onnxlet|error)\.[a-z_.]+)"', source))


def test_the_metrics() -> None:
    sent, dropped = _tracing([exporter.SpanCounts().state()])

    rows = re.findall(r"^\| `(onnxlet_\w+?)_total` \| (.*?) ?\| (.*?) \|$", TEXT, re.MULTILINE)
    assert [name for name, _, _ in rows] == [sent.name, dropped.name]
    reasons = {sample.labels["reason"] for sample in dropped.samples}
    assert set(re.findall(r"`(\w+)`", rows[1][2])) == reasons


def test_the_bounds() -> None:
    assert f"every {exporter.EVERY_SECONDS:g} seconds, or once {exporter.BATCH} requests" in TEXT
    assert f"{exporter.MOST_WAITING:,} at most are kept" in TEXT
    assert f"none comes within {exporter.SEND_SECONDS:g} seconds" in TEXT
    assert len(exporter.PAUSES) + 1 == 5
    assert exporter.LONGEST_PAUSE_SECONDS == 60
    assert f"for {exporter.FLUSH_SECONDS:g} seconds at most" in TEXT
    for status in exporter.TRANSIENT:
        assert str(status) in TEXT
