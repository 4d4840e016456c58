"""A request's body, read and unpacked within limits; and an answer's, compressed for its client.

And what WSGI apps take and give (PEP 3333).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from typing import Any

from onnxlet.function.errors import MalformedRequest, RequestTooLarge, UnsupportedMedia
from onnxlet.function.messages import Reply

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WSGI = Callable[[Environ, StartResponse], Iterable[bytes]]
Answer = Callable[..., Reply]  # makes the reply from the environ and the rule's variables
SMALLER = "Send fewer rows at once, or numbers as binary tensors of /v2, eight bytes each."
MOST_ENCODINGS = 3  # one on another; each could unpack to as much as is taken
GZIP, ZLIB, BARE = 31, 15, -15  # zlib's window bits for each form


def read_body(environ: Environ, limit: int, unpacked_limit: int) -> bytes:
    """The request's body, unpacked; empty where there is none.

    At most `limit` bytes are read, and as many as `unpacked_limit` unpacked. Raises RequestTooLarge
    where it has more; MalformedRequest where it can't be read, or is not what its Content-Encoding
    says; UnsupportedMedia where that is another than gzip and deflate, or many on each other.
    """
    encoding = environ.get("HTTP_CONTENT_ENCODING")
    body = _read(environ, limit)
    if not encoding or not body:
        return body
    names = [name for part in encoding.split(",") if (name := part.strip().lower()) != "identity"]
    if len(names) > MOST_ENCODINGS:
        raise UnsupportedMedia(
            f"expected at most {MOST_ENCODINGS} content encodings, got {len(names)}"
        )
    for name in reversed(names):
        body = _unpacked(body, name, unpacked_limit)
    return body


def _read(environ: Environ, limit: int) -> bytes:
    declared = environ.get("CONTENT_LENGTH") or ""
    # Cut off at 20 digits: Python refuses to convert thousands, and takes long over hundreds.
    length = int(declared.lstrip("0")[:20] or 0) if declared.isdecimal() else None
    if length is None and not environ.get("wsgi.input_terminated"):
        return b""  # nobody says where it ends: reading would wait for ever
    # One byte more than allowed shows that a body of unknown length is too large.
    wanted = limit + 1 if length is None else length
    if wanted <= limit or length is None:
        try:
            body: bytes = environ["wsgi.input"].read(wanted)
        except MalformedRequest:  # our own server's, which says more
            raise
        except Exception as error:  # each server raises its own: broken chunks, a stalled client
            raise MalformedRequest(f"the body can't be read: {type(error).__name__}") from error
        if length is not None and len(body) < length:
            raise MalformedRequest(f"the body ended after {len(body)} of {length} bytes")
        if len(body) <= limit:
            return body
    raise RequestTooLarge(f"the body has more than {limit} bytes", SMALLER)


def _unpacked(body: bytes, encoding: str, limit: int) -> bytes:
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise UnsupportedMedia(
            f"content encoding '{encoding[:40]}' is not read here",
            "Send gzip, deflate, or the body as it is.",
        )
    form = GZIP if encoding != "deflate" else ZLIB if _has_zlib_header(body) else BARE
    unpacking = zlib.decompressobj(form)
    try:
        whole = unpacking.decompress(body, limit + 1)
    except zlib.error as error:
        raise MalformedRequest(f"the body is not {encoding}: {error}") from error
    if len(whole) > limit:
        raise RequestTooLarge(f"the body unpacks to more than {limit} bytes", SMALLER)
    if not unpacking.eof or unpacking.unused_data:
        raise MalformedRequest(f"the body is not one whole {encoding} stream")
    return whole


def _has_zlib_header(body: bytes) -> bool:
    """RFC 9110 means zlib's form by deflate; some clients send it without its header."""
    return body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0


# Bytes; smaller answers are not compressed. Ten packets of 1,460 bytes hold that many, and a new
# connection sends ten at once (RFC 6928): fewer would arrive no sooner.
LARGE_ANSWER = 14_600
SAMPLE = 16_384  # bytes of the answer that are tried first
WORTHWHILE = 0.8  # of the size; numbers in binary hardly shrink
LEVEL = 1  # the fastest: higher ones take twice the time for a tenth of the size
WINDOW_BITS = {"gzip": 31, "deflate": 15}  # zlib's for each form; the first is preferred


def compressed(body: bytes, accept: str) -> tuple[bytes, str] | None:
    """A body in the coding that its client prefers, and its name; None where it hardly shrinks."""
    name = coding(accept)
    if name is None:
        return None
    if len(_compressed(body[:SAMPLE], name)) > WORTHWHILE * min(len(body), SAMPLE):
        return None
    return _compressed(body, name), name


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
