"""Images: what they cost beyond Pillow and the graph, hostile files, sizes, and the start."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench import image_models, lambda_bundles, servers
from bench.events import http_event
from bench.image_models import NETWORK, SMALL
from bench.report import Figure, Line, comparisons, figures
from bench.servers import KEY, ROOT
from bench.serving import Fitted, environ_for
from bench.watch_requests import serve
from onnxlet.function.inputs.columns import MAX_PIXELS
from tests.conftest import start_server, stop_server
from tests.function.image_models import add_model, picture
from tests.function.inputs.hostile_images import BYTES_A_PIXEL, hostile, outcomes, peak, unlike
from tests.lambda_runtime.machines import Machine
from tests.project.commands import free_port

FILES, STARTS, SERVER_CORE = 1000, 40, 1
MOST, MOST_START = 1.3, 1.02
MOST_MB = {True: 31.0, False: 26.8}  # of the zip, with images and without
WAYS = {
    "handler, body": "the handler, the file as the event's body",
    "handler, JSON": "the handler, base64 in JSON",
    "socket, body": "a socket, the file as the body",
    "socket, JSON": "a socket, base64 in JSON",
}
ABOUT = """**A photo to an answer.** A JPEG of 640 × 480, with validation, keys and the log switched
on, against what it can't be had without: Pillow's decode and resize, and `session.run` of the same
graph with a tensor that is there already. Taking turns; the server has a core of its own. `digits`
is a logistic regression on 28 × 28 pixels of grey, `network` has four convolutions on 224 × 224 in
colors, scaled and normalised.
"""
ABOUT_FILES = f"""**Hostile files.** {FILES:,} that are always the same ones, over a socket: fuzzed
headers of all formats, flipped bits, truncated, lying about their size, bombs, two files in one,
SVG and HTML; as a body, in a form, and beside a good one in JSON. Memory is the peak of the
server's process beyond that of an ordinary request; at most {BYTES_A_PIXEL} bytes for each of
{MAX_PIXELS:,} pixels are documented. Equal pixels: pictures of all formats and modes, served, and
by the pipeline that was fitted.
"""
ABOUT_START = f"""**Models without images** start as before: {STARTS} starts each of the handler, to
one answer of the logistic regression, taking turns with those of an earlier commit
(`make bench PART=images BASE=COMMIT`).
"""


def section(models: Path, fitted: Fitted) -> str:
    """Measure, and return the section as Markdown."""
    folder = models.parent / "images"
    folder.mkdir()
    image_models.build_small(folder / "models")
    image_models.build_network(folder / "models")
    counted = [*_hostile(folder), *_equal(folder), *_zips(models, folder)]
    parts = [ABOUT, comparisons("Pillow, session.run", _requests(folder / "models"))]
    parts += [ABOUT_FILES, figures(counted)]
    if base := os.environ.get("BASE"):
        parts += [ABOUT_START, comparisons(f"at {base[:7]}", _starts(models, fitted, folder, base))]
    return "\n".join(parts)


def _requests(models: Path) -> Iterator[Line]:
    photo = image_models.photo()
    body = json.dumps({"instances": [[base64.b64encode(photo).decode()]]}).encode()
    for model in (SMALL, NETWORK):
        port, environ = free_port(), environ_for(models, model)
        path = f"/models/{model}/predict"
        command = [sys.executable, "-m", "bench.image_requests", os.fspath(models), model]
        with servers.running(serve(models, port), environ, port, path, body, SERVER_CORE):
            done = subprocess.run(
                [*command, str(port)], cwd=ROOT, env={**os.environ, **environ}, input=photo,
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True,
            )  # fmt: skip
        t = json.loads(done.stdout)
        for name, way in WAYS.items():
            ours, bare = f"{t[name]:.2f} ms", f"{t['bare']:.2f} ms"
            yield Line(f"{model}: {way}", ours, bare, t[name] / t["bare"], MOST)


def _hostile(folder: Path) -> Iterator[Figure]:
    add_model(folder / "served", "photos")
    environ = {**os.environ, "ONNXLET_MODELS": os.fspath(folder / "served")}
    environ = {k: v for k, v in environ.items() if k != "ONNXLET_API_KEYS"}
    server = start_server(folder / "served", environ, folder / "log")
    try:
        outcomes(server.port, iter([("good", picture())] * 3))
        before = peak(server)
        found = outcomes(server.port, hostile(FILES))
        memory = peak(server) - before
    finally:
        code = stop_server(server)
    yield Figure("hostile files that were answered or refused", len(found), FILES, at_least=True)
    no_answer = sum(each.status == 0 for each in found) + (code != 0)
    yield Figure("crashes, and requests without an answer", no_answer, 0)
    yield Figure("answers of 5xx", sum(each.status >= 500 for each in found), 0)
    what = "answers that are not 200, 413 or 422 with the row and the column"
    yield Figure(what, len(unlike(found)), 0)
    yield Figure("peak of memory", memory / 1e6, BYTES_A_PIXEL * MAX_PIXELS / 1e6, "MB")


def _equal(folder: Path) -> Iterator[Figure]:
    same, count = image_models.equal_pixels(folder / "equal")
    yield Figure(f"pictures of {count} with equal pixels", same, count, at_least=True)


def _zips(models: Path, folder: Path) -> Iterator[Figure]:
    machine = Machine("aarch64", "3.13", [])
    for with_images, source, model in (
        (True, folder / "models", SMALL),
        (False, models, lambda_bundles.MODEL),
    ):
        size = lambda_bundles.package(source, machine, folder, model).stat().st_size
        what = f"Lambda's zip, arm64, Python 3.13, {'with' if with_images else 'without'} Pillow"
        yield Figure(what, size / 1e6, MOST_MB[with_images], "MB", digits=2)


def _starts(models: Path, fitted: Fitted, folder: Path, base: str) -> Iterator[Line]:
    """The handler of this commit and of another one, with the same model."""
    earlier = folder / "earlier"
    git = ["git", "-C", os.fspath(ROOT), "worktree"]
    subprocess.run([*git, "add", "--quiet", "--detach", os.fspath(earlier), base], check=True)
    try:
        single = folder / "single"
        single.mkdir()
        (single / "logistic").symlink_to(models / "logistic")
        body = json.dumps({"instances": fitted["logistic"][1].to_numpy().tolist()[:1]})
        event = json.dumps(http_event(body, "/predict", KEY)).encode()
        command = (["-m", "bench.start_handler"], environ_for(single, "logistic"), event)
        times = servers.process_times(
            {"here": command, "earlier": command}, STARTS, {"earlier": earlier}
        )
    finally:
        subprocess.run([*git, "remove", "--force", os.fspath(earlier)], check=True)
    here, there = times["here"], times["earlier"]
    cells = [f"{milliseconds:.1f} ms" for milliseconds in (here, there)]
    what = "process start to first answer, no model has images"
    yield Line(what, cells[0], cells[1], here / there, MOST_START, digits=3)
