"""Compresses answers as the client's Accept-Encoding asks, where they shrink by it."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxlet.function.http.slim_flask import Response

SAMPLE = 16_384  # bytes of the answer that are tried first
WORTHWHILE = 0.8  # of the size; numbers in binary hardly shrink
LEVEL = 1  # the fastest: higher ones take twice the time for a tenth of the size
WINDOW_BITS = {"gzip": 31, "deflate": 15}  # zlib's for each form; the first is preferred


def compress(response: Response, accept: str) -> None:
    """Compress an answer's whole body, and say so in its headers, where its client accepts that."""
    response.headers.add("Vary", "Accept-Encoding")
    name = coding(accept)
    if name is None or "Content-Encoding" in response.headers:
        return
    body = response.get_data()
    if len(_compressed(body[:SAMPLE], name)) > WORTHWHILE * min(len(body), SAMPLE):
        return
    response.set_data(_compressed(body, name))
    response.headers["Content-Encoding"] = name


def _compressed(body: bytes, name: str) -> bytes:
    compressor = zlib.compressobj(LEVEL, wbits=WINDOW_BITS[name])
    return compressor.compress(body) + compressor.flush()


def coding(accept: str) -> str | None:
    """The content coding that a client prefers (RFC 9110, 12.5.3); None is the body as it is.

    It accepts such as `gzip, deflate;q=0.5, *;q=0`.
    """
    liked: dict[str, float] = {}
    for part in accept.lower().split(","):
        name, _, weight = part.partition(";")
        liked[name.strip()] = _quality(weight)
    best = max(WINDOW_BITS, key=lambda name: liked.get(name, liked.get("*", 0.0)))
    quality = liked.get(best, liked.get("*", 0.0))
    return best if quality > 0 and quality >= liked.get("identity", 0.0) else None


def _quality(weight: str) -> float:
    """The number in `q=0.5`; 1 where there is none, 0 where it is no number."""
    if not weight:
        return 1.0
    try:
        return float(weight.partition("=")[2])
    except ValueError:
        return 0.0
