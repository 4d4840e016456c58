"""Pages for people: `GET /`, to try the models, and `GET /models/N/report`, how good one is.

The first is sent as one file. Its source lies in `page/`: index.html names the others as
{{style.css}}. A report is not the model's, so the manifest has no hash of it. It has one beside
it: a file that was put in its place, or that a link makes of another one, is not shown.
"""

from __future__ import annotations

from functools import lru_cache

from onnxlet.folders import typed
from onnxlet.function.errors import ModelError, NotServed
from onnxlet.function.messages import Reply, Request, json_reply
from onnxlet.function.model_files import read_checked, read_file
from onnxlet.function.models.model import PAGE, PAGE_HASH
from onnxlet.function.serving.service import Service

# A report has no script, asks for nothing, and is nobody's frame: its own style is all there is.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
LARGEST = 2**26  # bytes; a stranger's file may have more than there is memory
HTML = "text/html; charset=utf-8"


def home(service: Service, request: Request) -> Reply:
    """The page; 304 where the client has it already, and one line of JSON for KServe's client."""
    if request.header("Accept") == "*/*":  # KServe's client asks here whether V1 is alive
        return json_reply({"status": "alive"}, headers={"Vary": "Accept"})
    page = read_page()
    known = [tag.strip().removeprefix("W/") for tag in request.header("If-None-Match").split(",")]
    return page._replace(body=b"", status=304) if page.headers["ETag"] in known else page


def joined() -> bytes:
    """index.html, with each other file in the place that names it."""
    import re
    from pathlib import Path

    folder = Path(__file__).parent / "page"
    shell = (folder / "index.html").read_bytes()
    return re.sub(rb"\{\{([a-z.]+)\}\}\n", lambda m: (folder / m[1].decode()).read_bytes(), shell)


@lru_cache(1)
def read_page() -> Reply:
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
    return Reply(body, HTML, 200, headers)


def report(service: Service, request: Request, name: str) -> Reply:
    """The report of the version that is served, or of the one that `version` names."""
    model = service.repository.choose(name, request.query.get("version"))
    label = f"report of {model.name} version {model.version}"
    if model.directory is None or not model.has_report:
        raise NotServed(
            f"no {label} here",
            "`train`, and `build --report`, write one; bundles leave it out. "
            f"{typed('convert', 'report')} writes that of an older version of onnxlet again.",
        )
    try:
        expected = read_file(model.directory, PAGE_HASH, 64).decode("ascii", "replace")
        page = read_checked(model.directory, PAGE, expected, f"the {label}", LARGEST)
    except (OSError, ModelError) as error:  # how it differs is its operator's, not a client's
        raise NotServed(
            f"the {label} is not the one that was written",
            f"{typed('convert', 'report')} writes it again.",
        ) from error
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
    return Reply(page, HTML, 200, headers)
