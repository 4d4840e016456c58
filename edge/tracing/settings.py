"""The environment variables of OpenTelemetry that are read here: docs/how-to/tracing.md.

They are often set for many programs at once. So, as their specification asks for, one that can't
be used is reported and ignored, and stops nothing:
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

EXPORTER = "OTEL_EXPORTER_OTLP_"
SAMPLER, ARGUMENT = "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"
PAIR = re.compile(r"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=\s*([ !-+\--~]*?)\s*")
SERVICE = "service.name"
# The share of traces that begin here and are sampled, by the sampler's name; None: the argument.
SHARES = {"always_on": 1.0, "always_off": 0.0, "traceidratio": None}
PARENT_BASED = "parentbased_"


class TraceOptions(NamedTuple):
    """Where spans go, of which requests, and as whose."""

    url: SplitResult  # of the collector
    headers: Mapping[str, str]  # of each request to it, such as a key
    resource: Mapping[str, str]  # attributes of this program
    share: float  # of the traces, from 0 to 1
    parent_based: bool  # whether a caller who names a trace decides, by its sampled flag


def read_options(environ: Mapping[str, str], faults: list[str]) -> TraceOptions | None:
    """The options; None where no traces are wanted, or can be sent.

    `faults` gets what can't be used, without values that may be secret.
    """

    def get(name: str) -> str:
        return environ.get(name, "").strip()

    general, own = get(f"{EXPORTER}ENDPOINT"), get(f"{EXPORTER}TRACES_ENDPOINT")
    others = get("OTEL_TRACES_EXPORTER") not in ("", "otlp")
    if not (general or own) or others or get("OTEL_SDK_DISABLED").lower() == "true":
        return None
    name = f"{EXPORTER}{'TRACES_' * bool(own)}"
    url = _url(own or f"{general.rstrip('/')}/v1/traces")
    if url is None:
        faults.append(f"{name}ENDPOINT: expected http://HOST:PORT or https://HOST:PORT")
        return None
    name = f"{EXPORTER}{'TRACES_' * bool(get(f'{EXPORTER}TRACES_HEADERS'))}HEADERS"
    headers = _pairs(name, get(name), faults)
    resource = _pairs("OTEL_RESOURCE_ATTRIBUTES", get("OTEL_RESOURCE_ATTRIBUTES"), faults)
    service = get("OTEL_SERVICE_NAME") or resource.get(SERVICE) or "onnxlet"
    share, parent_based = _sampler(get(SAMPLER), get(ARGUMENT), faults)
    return TraceOptions(url, headers, {**resource, SERVICE: service}, share, parent_based)


def _url(text: str) -> SplitResult | None:
    try:
        url = urlsplit(text)
        usable = url.scheme in ("http", "https") and url.hostname and url.port != 0
    except ValueError:  # a port that is no number, or an odd address
        return None
    return url if usable and not re.search(r"[^!-~]|@", text) else None


def _pairs(name: str, text: str, faults: list[str]) -> dict[str, str]:
    """`name=value` between commas; values may have percent-encoded characters."""
    found = {}
    for entry in filter(str.strip, text.split(",")):
        pair = PAIR.fullmatch(entry)
        if pair is None or re.search(r"[\x00-\x1f\x7f]", value := unquote(pair[2])):
            faults.append(f"{name}: expected NAME=VALUE between commas, got another entry")
        else:
            found[pair[1]] = value
    return found


def _sampler(name: str, argument: str, faults: list[str]) -> tuple[float, bool]:
    """The share of the traces that begin here, and whether callers decide for theirs."""
    name = name or f"{PARENT_BASED}always_on"
    kind = name.removeprefix(PARENT_BASED)
    if kind not in SHARES:
        every = ", ".join(f"{PARENT_BASED}{each}, {each}" for each in SHARES)
        faults.append(f"{SAMPLER}: expected one of {every}, got '{name[:80]}'")
        return 1.0, True
    share = SHARES[kind]
    if share is None:
        try:
            share = float(argument or 1)
        except ValueError:
            share = -1.0
        if not 0 <= share <= 1:
            faults.append(f"{ARGUMENT}: expected a number from 0 to 1, got '{argument[:80]}'")
            share = 1.0
    return share, name != kind
