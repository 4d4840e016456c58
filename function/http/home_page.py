"""`GET /`: the page on which people try the models.

It is sent as one file. Its source lies in `page/`: index.html names the others as {{style.css}}.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from onnxlet.function.messages import Reply, Request, json_reply

if TYPE_CHECKING:
    from onnxlet.function.serving.service import Service


class Page(NamedTuple):
    """The page, ready to be sent."""

    body: bytes  # in UTF-8
    headers: dict[str, str]  # among them what the browser may do with it


def answer(service: Service, request: Request) -> Reply:
    """The page; 304 where the client has it already, and one line of JSON for KServe's client."""
    if request.header("Accept") == "*/*":  # KServe's client asks here whether V1 is alive
        return json_reply({"status": "alive"}, headers={"Vary": "Accept"})
    page = read_page()
    known = [tag.strip().removeprefix("W/") for tag in request.header("If-None-Match").split(",")]
    if page.headers["ETag"] in known:
        return Reply(b"", "text/html; charset=utf-8", 304, page.headers)
    return Reply(page.body, "text/html; charset=utf-8", 200, page.headers)


def joined() -> bytes:
    """index.html, with each other file in the place that names it."""
    import re
    from pathlib import Path

    folder = Path(__file__).parent / "page"
    shell = (folder / "index.html").read_bytes()
    return re.sub(rb"\{\{([a-z.]+)\}\}\n", lambda m: (folder / m[1].decode()).read_bytes(), shell)


@lru_cache(1)
def read_page() -> Page:
    """The page, and the policy that lets its own style and script run and nothing else."""
    import base64
    import hashlib
    import re

    body = joined()

    def hashes(tag: bytes) -> str:
        inside = re.findall(b"<%b>(.*?)</%b>" % (tag, tag), body, re.DOTALL)
        digests = [base64.b64encode(hashlib.sha256(text).digest()).decode() for text in inside]
        return " ".join(f"'sha256-{digest}'" for digest in digests)

    policy = (
        f"default-src 'none'; script-src {hashes(b'script')}; style-src {hashes(b'style')}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    headers = {
        "Content-Security-Policy": policy,
        "Vary": "Accept",
        "ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        "Cache-Control": "no-cache",  # asked for again each time, and mostly answered by 304
    }
    return Page(body, headers)
