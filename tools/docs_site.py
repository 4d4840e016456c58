"""What `make docs` does beside MkDocs: pictures, links into the code, and a look at the result.

MkDocs calls the functions that are named `on_…`, so none of its types is imported here.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
# Mermaid draws in the reader's browser. npm has it; without npm its blocks stay text.
MERMAID = ROOT / "node_modules" / "@mermaid-js" / "tiny" / "dist" / "mermaid.tiny.js"
SCRIPT = "assets/javascripts/mermaid.js"
LINK = re.compile(r"\[([^\]]*)\]\((\.\.?/[^)#]+)(#[^)]*)?\)")
# Attributes by which a page has something fetched, without a click.
FETCHED = {"src", "srcset", "poster", "data"}
ELSEWHERE = re.compile(r"^\s*(?:https?:)?//", re.IGNORECASE)
CSS_ELSEWHERE = re.compile(r"(?:@import\s+|url\()\s*['\"]?\s*((?:https?:)?//[^'\")\s]+)", re.I)


def on_config(config: Any) -> Any:
    """Use Mermaid where npm has brought it."""
    if MERMAID.is_file():
        config["extra_javascript"].append(SCRIPT)
    else:
        config["mdx_configs"]["pymdownx.superfences"]["custom_fences"] = []
    return config


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Leave a link's text where it leads into the code: the site has the documents only.

    Raises:
        SystemExit: for a link to a file that is not there.
    """
    folder = (DOCS / page.file.src_uri).parent

    def replaced(link: re.Match[str]) -> str:
        target = (folder / link[2]).resolve()
        if not target.exists():
            sys.exit(f"error: {page.file.src_uri}: there is no {link[2]}")
        return link[0] if target.is_relative_to(DOCS) else link[1]

    return LINK.sub(replaced, markdown)


def on_post_build(config: Any) -> None:
    """Put Mermaid beside the pages, and hold these against what they may fetch.

    Raises:
        SystemExit: where a page has something fetched from another host.
    """
    site = Path(config["site_dir"])
    if MERMAID.is_file():
        shutil.copy(MERMAID, site / SCRIPT)
    found = list(fetched_elsewhere(site))
    if found:
        sys.exit("error: these are fetched from another host:\n" + "\n".join(found))


def fetched_elsewhere(site: Path) -> Iterator[str]:
    """What pages and styles have fetched from another host, with the file that does."""
    for file in sorted(site.rglob("*")):
        if file.suffix not in (".html", ".css"):
            continue
        text, reader = file.read_text(), _Reader()
        if file.suffix == ".html":
            reader.feed(text)
        for address in [*reader.elsewhere, *CSS_ELSEWHERE.findall(text)]:
            yield f"{file.relative_to(site)}: {address}"


class _Reader(HTMLParser):
    """Collects the addresses on other hosts that a page fetches by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.elsewhere: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at what a tag loads; a link's `href` counts for `<link>`, not for `<a>`."""
        names = FETCHED | {"href"} if tag in ("link", "use", "image", "base") else FETCHED
        loaded = [value or "" for name, value in attrs if name in names]
        self.elsewhere += filter(ELSEWHERE.match, loaded)
