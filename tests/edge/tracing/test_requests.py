"""Which requests are traced, by the caller's header and by share."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

import pytest

from onnxlet.edge.tracing.requests import Trace, Traced, sampled, traced
from onnxlet.edge.tracing.settings import TraceOptions

ID, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def options(share: float = 1.0, parent_based: bool = True) -> TraceOptions:
    return TraceOptions(urlsplit("http://c"), {}, {}, share, parent_based)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_caller_decides(share: float) -> None:
    found = sampled(f"00-{ID}-{PARENT}-01", options(share))

    assert found
    assert (found.id, found.parent) == (ID, PARENT)
    assert found.span not in (PARENT, "0" * 16)
    assert sampled(f"00-{ID}-{PARENT}-00", options(share)) is None
    assert sampled(f"00-{ID}-{PARENT}-02", options(share)) is None
    assert sampled(f"00-{ID}-{PARENT}-03", options(share))
    assert sampled(f"cc-{ID}-{PARENT}-09-what-comes-later", options(share))


@pytest.mark.parametrize(
    "header",
    [
        None, "", "nonsense", f"00-{ID}-{PARENT}", f"00-{ID.upper()}-{PARENT}-01",
        f"ff-{ID}-{PARENT}-01", f"00-{'0' * 32}-{PARENT}-01", f"00-{ID}-{'0' * 16}-01",
        f"00-{ID}-{PARENT}-01-more", f"00-{ID}-{PARENT}-01,00-{ID}-{PARENT}-01",
    ],
)  # fmt: skip
def test_a_header_that_is_none_begins_a_trace(header: str | None) -> None:
    found = sampled(header, options())

    assert found
    assert found.id != ID
    assert len(found.id) == 32
    assert not found.parent
    assert sampled(header, options(0.0)) is None


def test_shares() -> None:
    random.seed(7)
    of_new = Counter(sampled(None, options(0.1)) is not None for _ in range(20_000))

    assert 1_800 < of_new[True] < 2_200
    # By the id: those of a smaller share are among those of a larger one, in every program.
    ids = [f"{random.getrandbits(128):032x}" for _ in range(20_000)]
    headers = [f"00-{each}-{PARENT}-00" for each in ids]
    few, more = (
        {found.id for h in headers if (found := sampled(h, options(share, False)))}
        for share in (0.1, 0.3)
    )
    assert 1_800 < len(few) < 2_200
    assert few < more
    assert isinstance(sampled(headers[0], options(1.0, False)), Trace)
    # By the last half, as OpenTelemetry's own samplers: the first may be a time.
    assert sampled(f"00-{'f' * 16}{'0' * 15}1-{PARENT}-00", options(0.1, False))
    assert not sampled(f"00-{'0' * 15}1{'f' * 16}-{PARENT}-00", options(0.1, False))


@pytest.mark.parametrize("length", [10, 200, 201, 60_000])
def test_a_path_that_is_longer_than_any_of_a_route_is_not_kept(length: int) -> None:
    kept: list[Traced] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("404 Not Found", [])
        return [b""]

    path = "/" + "y" * (length - 1)
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "wsgi.url_scheme": "http"}
    traced(app, options(), "", kept.append)(environ, lambda *_: None)

    assert [each.path for each in kept] == [path if length <= 200 else ""]
    assert len(repr(kept[0])) < 1_000
