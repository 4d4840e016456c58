"""A small S3 on this machine: buckets in memory, over HTTP, as PyArrow and boto3 speak to it."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape


class Stored(NamedTuple):
    """An object, and when it was stored in seconds since 1970."""

    content: bytes
    at: float


class S3:
    """What a server stores.

    Attributes:
        objects: by bucket and key, such as `bucket/folder/rows.csv`.
        requests: method and path of each that came.
        refused: how many of the next requests to store something are refused.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.objects: dict[str, Stored] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.numbers = count()  # of uploads
        self.requests: list[str] = []
        self.refused = 0

    def put(self, path: str, content: bytes) -> None:
        self.objects[path] = Stored(content, time.time())

    def environment(self) -> dict[str, str]:
        """What a client has to have in its environment."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16  # an answer in one piece: half of one would wait for its acknowledgement
    s3: S3

    def handle_expect_100(self) -> bool:
        """Say so now."""
        going_on = super().handle_expect_100()
        self.wfile.flush()
        return going_on

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its own name
        """Requests are counted, not printed."""

    def _asked(self) -> tuple[str, dict[str, str]]:
        parts = urlsplit(self.path)
        query = {k: v[0] for k, v in parse_qs(parts.query, keep_blank_values=True).items()}
        self.s3.requests.append(f"{self.command} {self.path}")
        return unquote(parts.path).removeprefix("/"), query

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b"".join(iter(self._chunk, b""))
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "aws-chunked" not in self.headers.get("Content-Encoding", ""):
            return body
        found, at = list[bytes](), 0
        while True:  # chunks in chunks: each has its size before it, and checksums follow the last
            end = body.index(b"\r\n", at)
            size = int(body[at:end].split(b";")[0], 16)
            if not size:
                return b"".join(found)
            found.append(body[end + 2 : end + 2 + size])
            at = end + 2 + size + 2

    def _chunk(self) -> bytes:
        size = int(self.rfile.readline().split(b";")[0], 16)
        chunk = self.rfile.read(size)
        self.rfile.readline()
        return chunk

    def _reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def _missing(self) -> None:
        self._reply(404, b"<Error><Code>NoSuchKey</Code><Message>none</Message></Error>")

    def do_HEAD(self) -> None:
        path, _ = self._asked()
        if (found := self.s3.objects.get(path)) is None:
            known = any(each.startswith(f"{path}/") for each in list(self.s3.objects))
            self._reply(200 if "/" not in path.rstrip("/") and known else 404)
            return
        self._reply(200, b"", Content_Length=str(len(found.content)), **_about(found))

    def do_GET(self) -> None:
        path, query = self._asked()
        if "/" not in path.rstrip("/"):
            self._list(path.rstrip("/"), query)
            return
        if (found := self.s3.objects.get(path)) is None:
            self._missing()
            return
        content, given = found.content, self.headers.get("Range")
        if given is None:
            self._reply(200, content, **_about(found))
            return
        first, _, last = given.removeprefix("bytes=").partition("-")
        end = min(int(last) + 1 if last else len(content), len(content))
        ranged = f"bytes {first}-{end - 1}/{len(content)}"
        self._reply(206, content[int(first) : end], Content_Range=ranged, **_about(found))

    def _list(self, bucket: str, query: dict[str, str]) -> None:
        prefix = query.get("prefix", "")
        keys = sorted(
            path[len(bucket) + 1 :]
            for path in list(self.s3.objects)  # others are put meanwhile
            if path.startswith(f"{bucket}/")
        )
        keys = [key for key in keys if key.startswith(prefix)]
        limit = int(query.get("max-keys", 1000))
        mark = query.get("delimiter", "")
        folders = sorted(
            {prefix + key[len(prefix) :].partition(mark)[0] + mark for key in keys
             if mark and mark in key[len(prefix) :]}
        )  # fmt: skip
        keys = [key for key in keys if not (mark and mark in key[len(prefix) :])][:limit]
        entries = "".join(_entry(key, self.s3.objects[f"{bucket}/{key}"]) for key in keys)
        entries += "".join(
            f"<CommonPrefixes><Prefix>{escape(each)}</Prefix></CommonPrefixes>" for each in folders
        )
        body = (
            '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult>'
            f"<Name>{bucket}</Name><Prefix>{escape(prefix)}</Prefix>"
            f"<KeyCount>{len(keys) + len(folders)}</KeyCount><MaxKeys>{limit}</MaxKeys>"
            f"<IsTruncated>false</IsTruncated>{entries}</ListBucketResult>"
        )
        self._reply(200, body.encode(), Content_Type="application/xml")

    def do_PUT(self) -> None:
        path, query = self._asked()
        body = self._body()
        if self.s3.refused:
            self.s3.refused -= 1
            self._reply(403, b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>")
        elif "uploadId" in query:
            self.s3.uploads[query["uploadId"]][int(query["partNumber"])] = body
            self._reply(200, ETag=_etag(body))
        else:
            self.s3.put(path, body)
            self._reply(200, ETag=_etag(body))

    def do_POST(self) -> None:
        path, query = self._asked()
        self._body()
        bucket, _, key = path.partition("/")
        if "uploads" in query:
            number = f"upload-{next(self.s3.numbers)}"
            self.s3.uploads[number] = {}
            root = "InitiateMultipartUploadResult"
        else:
            number = query["uploadId"]
            parts = self.s3.uploads.pop(number)
            self.s3.put(path, b"".join(parts[each] for each in sorted(parts)))
            root = "CompleteMultipartUploadResult"
        inside = f"<Bucket>{bucket}</Bucket><Key>{escape(key)}</Key><UploadId>{number}</UploadId>"
        self._reply(200, f"<{root}>{inside}</{root}>".encode())

    def do_DELETE(self) -> None:
        path, query = self._asked()
        self.s3.uploads.pop(query.get("uploadId", ""), None)
        if "uploadId" not in query:
            self.s3.objects.pop(path, None)
        self._reply(204)


def _etag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def _about(found: Stored) -> dict[str, str]:
    return {"ETag": _etag(found.content), "Last_Modified": formatdate(found.at, usegmt=True)}


def _entry(key: str, found: Stored) -> str:
    when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(found.at)) + ".000Z"
    return (
        f"<Contents><Key>{escape(key)}</Key><LastModified>{when}</LastModified>"
        f"<ETag>{escape(_etag(found.content))}</ETag><Size>{len(found.content)}</Size></Contents>"
    )


@contextmanager
def running_s3() -> Iterator[S3]:
    """A server, as long as the block runs."""

    class Handler(_Handler):
        pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Handler.s3 = S3(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Handler.s3
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
