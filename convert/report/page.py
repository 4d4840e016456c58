"""The report as people read it: as a page, and as a model card in Markdown.

The page is one file of HTML, which needs no script and no network. The card has the front matter
that Hugging Face's cards have.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from onnxlet.convert.report import sections
from onnxlet.convert.report.form import wording
from onnxlet.convert.report.form.findings import Findings
from onnxlet.convert.report.form.plot import declarations
from onnxlet.convert.report.sections.section import MOST_ROWS, described

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATE = Path(__file__).parent / "template"


def html(found: Findings) -> str:
    """The page: a whole document, the same for the same findings.

    Raises KeyError, TypeError, ValueError or jinja2.UndefinedError where these are damaged.
    """
    here = sections.headings(found)
    return _environment().get_template("page.html").render(f=found, here=here).strip() + "\n"


@lru_cache(1)
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    # What is not marked as safe is escaped in the page, and by filters in the card: names are the
    # user's.
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE),
        autoescape=select_autoescape(["html"]),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,  # of what is included
        undefined=StrictUndefined,
    )
    filters = (
        described, wording.cell, wording.code, wording.count, wording.escaped, wording.few,
        wording.headed, wording.interval, wording.listed, wording.name, wording.number,
        wording.plural, wording.quoted, wording.seconds, wording.share, wording.size, wording.table,
        wording.text,
    )  # fmt: skip
    environment.filters |= {each.__name__: each for each in filters}
    # Templates call what a section's module has.
    modules = {each.module for each in sections.SECTIONS}
    environment.globals |= {each.__name__.rpartition(".")[2]: each for each in modules}
    environment.globals |= {
        "SECTIONS": sections.SECTIONS[1:],  # the first stands in the page itself
        "MOST_ROWS": MOST_ROWS,
        "scheme": declarations,
    }
    return environment


def markdown(found: Findings) -> str:
    """The card, in paragraphs; it raises as `html` does where the findings are damaged."""
    here = sections.headings(found)
    card = _environment().get_template("card.md").render(f=found, here=here)
    return re.sub(r"\n{2,}", "\n\n", card).strip("\n") + "\n"
