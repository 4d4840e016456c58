"""The documents as a site: whole, and nothing of it is fetched from elsewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT, ran
from tools.docs_site import MERMAID, fetched_elsewhere

pytestmark = pytest.mark.docs

SITE = ROOT / "build" / "docs"
PAGES = sorted(path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md"))
MKDOCS = ROOT / ".venv-docs" / "bin" / "python"


def built(folder: Path) -> subprocess.CompletedProcess[str]:
    """`make docs` in a copy of the documents."""
    return ran(
        [MKDOCS, "-m", "mkdocs", "build"], cwd=folder, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """All that a site is made of, without Mermaid."""
    for folder in ("docs", "tools"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    for path in re.findall(r"\]\((?:\.\./)+([^)#]+)", "\n".join(map(text, PAGES))):
        if not (tmp_path / path).exists():  # what links lead to in the code
            (tmp_path / path).mkdir(parents=True)
    return tmp_path


def text(page: Path) -> str:
    return (ROOT / "docs" / page).read_text()


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_page_is_built_and_in_the_navigation(page: Path) -> None:
    html = (SITE / page.with_suffix(".html")).read_text()
    title = text(page).splitlines()[0].removeprefix("# ")

    assert title in html
    navigation = (SITE / "404.html").read_text()  # the page that no other one links to
    assert f'href="/{page.with_suffix(".html")}"' in navigation or page.name == "index.md"


def test_it_wears_the_colours_and_the_mark_of_the_page_at_the_root() -> None:
    page = ROOT / "function" / "http" / "page"
    style, shell = (page / "style.css").read_text(), (page / "index.html").read_text()
    light, dark = re.findall(r":root \{(.*?)\n\s*\}", style, re.DOTALL)
    own = text(Path("stylesheets/page.css"))
    schemes = re.findall(r"^\[data-md-color-scheme=\"\w+\"\] \{(.*?)\n\}", own, re.S | re.M)
    pattern = r"--\w+: #[0-9a-f]{6};"
    for colours, known in zip(schemes, (light, dark), strict=True):
        found = re.findall(pattern, colours)
        assert len(found) == 8
        assert set(found) <= set(re.findall(pattern, known))
    [mark] = re.findall(r"<rect.*(?=</svg>)", text(Path("images/mark.svg")))
    assert mark in shell
    html = (SITE / "gallery.html").read_text()
    assert 'href="stylesheets/page.css"' in html
    assert html.count("images/mark.svg") >= 2  # the icon, and in the header


def test_the_navigation_folds() -> None:
    html = (SITE / "index.html").read_text()
    folds = re.findall(r'<input class="md-nav__toggle[^"]*" type="checkbox" id="__nav_\d+"', html)
    navigation = (ROOT / "mkdocs.yml").read_text().partition("\nnav:\n")[2]
    groups = re.findall(r"^  - [^\n]*:\n", navigation, re.M)
    assert len(folds) == len(groups) > 1
    assert "md-nav__item--section" not in html


def test_nothing_is_fetched_from_another_host() -> None:
    assert list(SITE.rglob("*.html"))
    assert list(fetched_elsewhere(SITE)) == []


@pytest.mark.parametrize(
    ("name", "content", "address"),
    [
        ("a.html", '<script src="https://cdn.example/x.js"></script>', "https://cdn.example/x.js"),
        ("a.html", '<link rel="stylesheet" href="//cdn.example/x.css">', "//cdn.example/x.css"),
        ("a.html", '<img src="HTTP://cdn.example/x.png">', "HTTP://cdn.example/x.png"),
        ("a.html", "<style>@import 'https://f.example/f';</style>", "https://f.example/f"),
        ("a.css", "@font-face{src:url(https://f.example/f.woff2)}", "https://f.example/f.woff2"),
    ],
)
def test_what_would_be_fetched_is_found(
    name: str, content: str, address: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(f'{content} <a href="https://elsewhere.example/">a link</a>')

    assert list(fetched_elsewhere(tmp_path)) == [f"{name}: {address}"]


def test_pictures_are_drawn_where_npm_has_brought_mermaid() -> None:
    assert MERMAID.is_file(), "npm ci brings it"
    page = (SITE / "explanation" / "architecture.html").read_text()
    assert page.count('<pre class="mermaid">') == text(Path("explanation/architecture.md")).count(
        "```mermaid"
    )
    assert (SITE / "assets" / "javascripts" / "mermaid.js").read_bytes() == MERMAID.read_bytes()


def test_pictures_are_text_where_there_is_no_npm(copy: Path) -> None:
    done = built(copy)

    assert done.returncode == 0, done.stderr
    page = (copy / "build" / "docs" / "explanation" / "architecture.html").read_text()
    assert "mermaid.js" not in page
    assert "flowchart" in page
    assert '<pre class="mermaid">' not in page


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("[a](nowhere.md)", "nowhere.md"),
        ("[a](index.md#nowhere)", "#nowhere"),
        ("[a](../tools/nowhere.py)", "there is no ../tools/nowhere.py"),
        ("![a](https://pictures.example/a.png)", "https://pictures.example/a.png"),
    ],
)
def test_a_page_that_is_wrong_ends_the_build(wrong: str, told: str, copy: Path) -> None:
    with (copy / "docs" / "index.md").open("a") as page:
        page.write(f"\n{wrong}\n")

    done = built(copy)

    assert done.returncode != 0
    assert told in done.stderr


def test_a_page_that_is_nowhere_in_the_navigation_ends_the_build(copy: Path) -> None:
    (copy / "docs" / "forgotten.md").write_text("# Forgotten\n")

    done = built(copy)

    assert done.returncode != 0
    assert "forgotten.md" in done.stderr
