"""What a request's head means: names, target, and what RFC 9112 does not let pass."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

LONGEST_HEAD = 1 << 16  # bytes; also of what stands between two parts of a body, or behind it
MOST_HEADERS = 200
VERSIONS = ("1.1", "1.0")
HOST = re.compile(r"[^\s,/?#@\\]*")  # one comma means two headers
AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
KNOWN_NAMES = 500  # header names whose form in WSGI is remembered
NAMES: dict[bytes, str] = {b"Content-Type": "CONTENT_TYPE", b"Content-Length": "CONTENT_LENGTH"}


def fault_of(headers: Mapping[str, str], version: str, length: int, lines: int) -> str:
    """The status of a head that RFC 9112 does not let pass; empty for others.

    Args:
        headers: by their names in an environ.
        version: of HTTP.
        length: of the head, in bytes.
        lines: headers that came.
    """
    if length > LONGEST_HEAD or lines > MOST_HEADERS:
        return "431 Request Header Fields Too Large"
    if version not in VERSIONS:
        return "505 HTTP Version Not Supported"
    host = headers.get("HTTP_HOST", "," if version == "1.1" else "")
    if not HOST.fullmatch(host):
        return "400 Bad Request"
    coding = headers.get("HTTP_TRANSFER_ENCODING", "chunked")
    return "" if coding.strip().lower() == "chunked" else "501 Not Implemented"


def wsgi_name(name: bytes) -> str:
    """A header's name in an environ; empty for one that it has no place for."""
    if b"_" in name:
        return ""
    upper = name.decode("latin-1").upper().replace("-", "_")
    key = upper if upper in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{upper}"
    if len(NAMES) < KNOWN_NAMES and len(name) < 100:
        NAMES[name] = key
    return key


def target_of(url: bytes) -> tuple[str, str]:
    """Path and query as WSGI has them: bytes as Latin-1, the path without its % signs."""
    text = url.decode("latin-1").partition("#")[0]
    if not text.startswith("/"):  # http://host/path, or *
        whole = AUTHORITY.match(text)
        rest = text[whole.end() :] if whole else text
        text = rest if rest.startswith("/") or not whole else f"/{rest}"
    path, _, query = text.partition("?")
    if "%" in path:
        path = unquote_to_bytes(path.encode("latin-1")).decode("latin-1")
    return path, query
