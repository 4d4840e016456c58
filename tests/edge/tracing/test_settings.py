"""OpenTelemetry's variables: what they mean here, and that wrong ones are reported and ignored."""

from __future__ import annotations

import pytest

from onnxlet.edge.tracing.settings import TraceOptions, read_options

AT = "OTEL_EXPORTER_OTLP_ENDPOINT"
HERE = {AT: "http://localhost:4318"}


def options(**more: str) -> TraceOptions:
    faults: list[str] = []
    found = read_options({**HERE, **more}, faults)
    assert not faults
    assert found
    return found


def test_what_is_usual() -> None:
    found = options()

    assert found.url.geturl() == "http://localhost:4318/v1/traces"
    assert found[1:] == ({}, {"service.name": "onnxlet"}, 1.0, True)


@pytest.mark.parametrize(
    ("endpoint", "own", "url"),
    [
        ("http://c:4318/", "", "http://c:4318/v1/traces"),
        ("https://c/otlp", "", "https://c/otlp/v1/traces"),
        ("http://c:4318", "https://[::1]:9/in?tenant=1", "https://[::1]:9/in?tenant=1"),
        ("", "http://c", "http://c"),
        ("nonsense", "http://c/x", "http://c/x"),
    ],
)
def test_where_spans_go(endpoint: str, own: str, url: str) -> None:
    found = options(**{AT: endpoint, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": own})

    assert found.url.geturl() == url


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {AT: " "},
        {**HERE, "OTEL_SDK_DISABLED": "true"},
        {**HERE, "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_none_are_wanted(environ: dict[str, str]) -> None:
    faults: list[str] = []

    assert read_options(environ, faults) is None
    assert not faults


@pytest.mark.parametrize(
    "url", ["c:4318", "grpc://c:4317", "http://", "http://c:x", "http://a:b@c", "http://c d"]
)
def test_an_endpoint_that_is_none(url: str) -> None:
    faults: list[str] = []

    assert read_options({AT: url}, faults) is None
    assert faults == [f"{AT}: expected http://HOST:PORT or https://HOST:PORT"]


def test_headers_and_attributes() -> None:
    found = options(
        OTEL_EXPORTER_OTLP_HEADERS=" x-key = a%2Cb , Authorization=Basic YTpi==,empty=",
        OTEL_RESOURCE_ATTRIBUTES="service.name=other,k8s.pod.name=caf%C3%A9",
        OTEL_SERVICE_NAME="prices",
    )

    assert found.headers == {"x-key": "a,b", "Authorization": "Basic YTpi==", "empty": ""}
    assert found.resource == {"service.name": "prices", "k8s.pod.name": "café"}
    own = options(OTEL_EXPORTER_OTLP_HEADERS="a=1", OTEL_EXPORTER_OTLP_TRACES_HEADERS="b=2")
    assert own.headers == {"b": "2"}


@pytest.mark.parametrize("text", ["secret", "a=%0d%0aHost: x", "=secret", "a b=secret"])
def test_a_header_that_is_none_is_left_out_and_not_shown(text: str) -> None:
    faults: list[str] = []
    environ = {**HERE, "OTEL_EXPORTER_OTLP_HEADERS": f"x=1,{text}"}

    found = read_options(environ, faults)

    assert found
    assert found.headers == {"x": "1"}
    [fault] = faults
    assert fault.startswith("OTEL_EXPORTER_OTLP_HEADERS: expected NAME=VALUE")
    assert "secret" not in fault


@pytest.mark.parametrize(
    ("sampler", "argument", "share", "parent_based"),
    [
        ("parentbased_traceidratio", "0.1", 0.1, True),
        ("parentbased_traceidratio", "", 1.0, True),
        ("traceidratio", "1e-3", 0.001, False),
        ("always_on", "0.5", 1.0, False),
        ("always_off", "", 0.0, False),
        ("parentbased_always_off", "", 0.0, True),
        ("parentbased_always_on", "", 1.0, True),
    ],
)
def test_samplers(sampler: str, argument: str, share: float, parent_based: bool) -> None:
    found = options(OTEL_TRACES_SAMPLER=sampler, OTEL_TRACES_SAMPLER_ARG=argument)

    assert (found.share, found.parent_based) == (share, parent_based)


@pytest.mark.parametrize(
    ("sampler", "argument", "fault"),
    [
        ("jaeger_remote", "x", "OTEL_TRACES_SAMPLER: expected one of parentbased_always_on, "),
        ("parentbased_traceidratio", "10 %", "OTEL_TRACES_SAMPLER_ARG: expected a number from 0"),
        ("parentbased_traceidratio", "1.5", "OTEL_TRACES_SAMPLER_ARG: expected a number from 0"),
        ("parentbased_traceidratio", "nan", "OTEL_TRACES_SAMPLER_ARG: expected a number from 0"),
    ],
)
def test_a_wrong_sampler_is_the_usual_one(sampler: str, argument: str, fault: str) -> None:
    faults: list[str] = []
    environ = {**HERE, "OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": argument}

    found = read_options(environ, faults)

    assert found
    assert (found.share, found.parent_based) == (1.0, True)
    [said] = faults
    assert said.startswith(fault)
