"""Run by the environment of `make test-browser`: visits a folder by Chromium; prints JSON.

Arguments are the folder, a model and a file with rows, of which one is asked for again and again.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import BrowserContext, Page, Playwright, sync_playwright

from tests.browser.servers import web_server

CHROMIUM = "/usr/bin/chromium"
FIRST, LATER = 3, 7  # visits
REQUESTS = 200
PHONE = {"width": 390, "height": 844}
# Milliseconds of each request, one after another, and the last answer.
ASK = """async ([model, row, count]) => {
  const took = [];
  let answer;
  for (let each = 0; each < count; each += 1) {
    const start = performance.now();
    const body = JSON.stringify({ instances: [row] });
    const headers = { "Content-Type": "application/json" };
    const response = await fetch(`models/${model}/predict`, { method: "POST", headers, body });
    answer = await response.json();
    if (response.status !== 200) throw new Error(answer.detail);
    took.push(performance.now() - start);
  }
  return { took, answer };
}"""


@contextmanager
def browser(playwright: Playwright, profile: str) -> Iterator[tuple[BrowserContext, Page]]:
    """A phone-sized window that keeps what it is given in a profile."""
    context = playwright.chromium.launch_persistent_context(
        profile, executable_path=CHROMIUM, args=["--no-sandbox"], viewport=PHONE, is_mobile=True,
    )  # fmt: skip
    try:
        yield context, context.pages[0]
    finally:
        context.close()


def first_visit(page: Page, address: str) -> float:
    """Seconds until all rows whose answers are known are answered."""
    start = time.perf_counter()
    page.goto(address)
    page.wait_for_selector("#open:not([hidden])")
    return time.perf_counter() - start


def later_visit(page: Page, address: str, ask: list[Any]) -> float:
    """Seconds until the page has the first answer, without a network."""
    start = time.perf_counter()
    page.goto(address)
    page.evaluate(ASK, [*ask, 1])
    return time.perf_counter() - start


def memory(profile: str) -> float:
    """MB, proportional, of the largest process of a profile's browser that runs pages."""
    sizes = [0.0]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if "--type=renderer" in _command(process) and _is_below(process, profile):
                text = (process / "smaps_rollup").read_text()
                found = re.search(r"^Pss: +(\d+) kB", text, re.MULTILINE)
                sizes += [int(found[1]) * 1024 / 1e6] if found else []
        except OSError:  # it has ended
            continue
    return max(sizes)


def _command(process: Path) -> str:
    return (process / "cmdline").read_bytes().decode(errors="replace")


def _is_below(process: Path, profile: str) -> bool:
    """Whether a process was started by the browser of a profile, which is in its command."""
    while parent := re.search(r"^PPid:\s+(\d+)", (process / "status").read_text(), re.MULTILINE):
        process = process.with_name(parent[1])
        if profile in _command(process):
            return True
        if parent[1] == "1":
            break
    return False


def main(folder: Path, model: str, rows: Path) -> None:
    """Measure, and print."""
    ask = [model, json.loads(rows.read_text())[0]]
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        firsts, laters = [], []
        for number in range(FIRST):
            profile = f"{scratch}/{number}"
            with web_server(folder) as server, browser(playwright, profile) as (_, page):
                firsts.append(first_visit(page, server.address))
        for _ in range(LATER):  # the server is gone
            with browser(playwright, profile) as (_, page):
                laters.append(later_visit(page, server.address, ask))
                took = page.evaluate(ASK, [*ask, REQUESTS])["took"]
                used = memory(profile)
        found = {"first": median(firsts), "later": median(laters)}
        print(json.dumps({**found, "request": median(took), "memory": used}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
