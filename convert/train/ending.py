"""What is printed when a training has ended."""

from __future__ import annotations

from collections.abc import Iterator

from onnxlet.convert.parity.certificate import certificate_lines
from onnxlet.convert.report import HTML, JSON, sentences
from onnxlet.convert.report.files import read_findings
from onnxlet.convert.train.combining import named
from onnxlet.convert.train.kinds.unused import LEAK
from onnxlet.convert.train.training import Trained
from onnxlet.folders import typed


def lines(trained: Trained) -> Iterator[str]:
    """The certificate, how good the model is, what was left out, and where it lies.

    Args:
        trained: what it has come to.
    """
    built = trained.built
    name = built.directory.parent.name
    yield from certificate_lines(name, built.version, built.manifest)
    yield f"  answers by  {named(trained.chosen)}"
    # Where it failed, what may lie there is the report of an earlier training.
    reported = trained.unreported is None and (built.directory / JSON).exists()
    found = read_findings(built.directory) if reported else None
    if found is not None:
        yield _plain(sentences.answer(found))
    leaks = [one.name for one in trained.prepared.table.columns if one.kind == LEAK.name]
    if leaks:
        which = "column gives" if len(leaks) == 1 else "columns give"
        yield (
            f"{len(leaks)} {which} the target away and {'was' if len(leaks) == 1 else 'were'} "
            f"left out: {', '.join(leaks)}. --column '{leaks[0]}=number' (or "
            "category, text, date, boolean, as it is) would keep it"
        )
    state = "written to" if built.new else "is the same, byte for byte, as"
    yield f"{name} version {built.version} {state} {built.directory}"
    if found is not None:
        yield f"report: {built.directory / HTML}"
    if trained.unreported is not None:
        yield f"no report was written, as it failed: {trained.unreported}"
    yield f"serve it: {typed('edge', f'serve --models {built.directory.parent.parent}')}"


def _plain(text: str) -> str:
    """With plain spaces: not every terminal has those that no line breaks at."""
    return text.replace("\u00a0", " ").replace("\u202f", " ")
