"""What the model was made from: files with their hashes, versions of tools."""

from __future__ import annotations

from collections.abc import Iterator

from onnxlet.convert.report.form.findings import Findings, MadeFile
from onnxlet.convert.report.form.wording import name, plural
from onnxlet.convert.report.sections.section import Section

KINDS = {"code": "Code", "tables": "Rows", "estimator": "Estimator", "held_out": "Held-out rows"}


def files(found: Findings) -> Iterator[tuple[str, str, str]]:
    """What a file is, its name, and its SHA-256."""
    for kind, title in KINDS.items():
        of_kind: list[MadeFile] = getattr(found.made_from, kind, [])
        for each in of_kind:
            several = f" ({plural(each.files, 'file')})" if each.files else ""
            yield title, name(each.file, 160) + several, each.sha256


def versions(found: Findings) -> str:
    """The tools that had a hand in it."""
    known = found.made_from.versions if found.made_from else {}
    return "By " + ", ".join(f"{tool} {version}" for tool, version in known.items()) + "."


SECTION = Section("made", "What it was made from", lambda found: found.made_from)
