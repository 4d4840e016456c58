"""Bodies that are packed, too large, or not what they are said to be."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zlib
from typing import Any

import pytest

from onnxlet.function.errors import (
    MalformedRequest,
    RequestError,
    RequestTooLarge,
    UnsupportedMedia,
)
from onnxlet.function.http.body import read_body

LIMIT, UNPACKED = 1000, 4000
BODY = b'{"instances": [[1, 2, 3]]}'


def gzipped(body: bytes) -> bytes:
    """Without the time: a test's name has these bytes, and two processes have to agree on it."""
    return gzip.compress(body, mtime=0)


def bare(body: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(body) + compressor.flush()


def read(body: bytes, encoding: str = "", **environ: Any) -> bytes:
    whole = {
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_CONTENT_ENCODING": encoding,
        "wsgi.input": io.BytesIO(body),
        **environ,
    }
    return read_body(whole, LIMIT, UNPACKED)


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("", BODY),
        ("identity", BODY),
        ("gzip", gzipped(BODY)),
        ("x-gzip", gzipped(BODY)),
        (" GZip ", gzipped(BODY)),
        ("deflate", zlib.compress(BODY)),
        ("deflate", bare(BODY)),
        ("deflate, gzip", gzipped(zlib.compress(BODY))),
        ("identity, gzip, identity", gzipped(BODY)),
        ("gzip, deflate, gzip", gzipped(zlib.compress(gzipped(BODY)))),
    ],
)
def test_what_is_unpacked(encoding: str, packed: bytes) -> None:
    assert read(packed, encoding) == BODY


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("cut", [1, 5, 12, -1, -5])
def test_a_truncated_stream(encoding: str, cut: int) -> None:
    packed = (gzip.compress if encoding == "gzip" else zlib.compress)(BODY)

    with pytest.raises(MalformedRequest):
        read(packed[:cut], encoding)


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzipped(BODY) * 2),
        ("gzip", gzipped(BODY) + b"more"),
        ("gzip", gzipped(b"") * 20),
        ("deflate", zlib.compress(BODY) + b"more"),
        ("deflate", bare(BODY) + b"more"),
        ("gzip", zlib.compress(BODY)),
        ("gzip", BODY),
        ("deflate", b"\xff\xff"),
        ("gzip", gzipped(BODY)[:-8] + bytes(8)),
    ],
)
def test_what_is_no_one_whole_stream(encoding: str, packed: bytes) -> None:
    with pytest.raises(MalformedRequest, match=encoding):
        read(packed, encoding)


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip;q=1", ", ".join(["gzip"] * 4), ",,"])
def test_encodings_that_are_not_read(encoding: str) -> None:
    packed = gzip.compress(gzip.compress(gzip.compress(gzip.compress(BODY))))
    with pytest.raises(UnsupportedMedia):
        read(packed, encoding)


def test_a_thousand_layers_are_refused_before_any_is_unpacked() -> None:
    with pytest.raises(UnsupportedMedia, match="at most 3 content encodings, got 1600"):
        read(b"x", ",".join(["gzip"] * 1600))


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "gzip, gzip"])
def test_a_bomb_is_left_at_the_limit(encoding: str) -> None:
    bomb = zlib.compress(bytes(50_000_000), 9)
    if encoding.startswith("gzip"):
        bomb = gzip.compress(bytes(50_000_000), 9)
    if "," in encoding:
        bomb = gzip.compress(bomb, 9)
    environ = {"CONTENT_LENGTH": str(len(bomb)), "HTTP_CONTENT_ENCODING": encoding}
    tracemalloc.start()
    try:
        with pytest.raises(RequestTooLarge, match="unpacks to more than 100000 bytes"):
            read_body({**environ, "wsgi.input": io.BytesIO(bomb)}, 10**6, 10**5)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 1_000_000  # bytes


@pytest.mark.parametrize("size", [UNPACKED, UNPACKED + 1])
def test_the_limit_of_what_is_unpacked(size: int) -> None:
    packed = gzip.compress(bytes(size))
    if size <= UNPACKED:
        assert len(read(packed, "gzip")) == size
    else:
        with pytest.raises(RequestTooLarge):
            read(packed, "gzip")


@pytest.mark.parametrize(
    ("length", "error"),
    [
        ("1001", RequestTooLarge),
        ("9" * 4000, RequestTooLarge),
        (str(len(BODY) + 1), MalformedRequest),
    ],
)
def test_declared_lengths(length: str, error: type[RequestError]) -> None:
    with pytest.raises(error):
        read(BODY, CONTENT_LENGTH=length)


@pytest.mark.parametrize("length", ["", "-1", "x", "1e3", "0x10", " 5"])
def test_without_a_length_nothing_is_read(length: str) -> None:
    assert read(BODY, CONTENT_LENGTH=length) == b""


@pytest.mark.parametrize("zeros", [1, 25, 5000])
def test_zeros_before_a_length_are_none_of_its_digits(zeros: int) -> None:
    assert read(BODY, CONTENT_LENGTH="0" * zeros + str(len(BODY))) == BODY
    assert read(BODY, CONTENT_LENGTH="0" * zeros) == b""


def test_chunks_are_counted() -> None:
    chunked: dict[str, Any] = {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}

    assert read(BODY, **chunked) == BODY
    with pytest.raises(RequestTooLarge):
        read(bytes(LIMIT + 1), **chunked)
