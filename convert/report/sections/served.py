"""What was proven, and what serving costs."""

from __future__ import annotations

from onnxlet.convert.report import Findings
from onnxlet.convert.report.wording import listed, number, plural, seconds, share, size


def parity(found: Findings) -> str:
    """What was proven."""
    about = found.get("parity")
    if not about or about.get("rows") is None:
        return "Nothing proves that what is served answers as the estimator does."
    off = [value for value in (about.get("worst") or {}).values() if value is not None]
    largest = max(off, default=0)
    exact = "not at all" if not largest else f"by {number(largest, 2)} at most"
    return (
        f"On {plural(about['rows'], 'row')}, edge cases among them, the served model\u2019s "
        f"answers differ from scikit-learn\u2019s {exact}."
    )


def serving(found: Findings) -> str:
    """Size and speed beside the estimator's."""
    about = found.get("serving")
    if not about:
        return ""
    parts = {
        f"takes {size(about['bytes'])}": about["bytes"],
        f"loads in {seconds(about['load_ms'], 1e-3)}": about["load_ms"],
        f"answers a row in {seconds(about['one_row_us'], 1e-6)}": about["one_row_us"],
    }
    known = [words for words, value in parts.items() if value is not None]
    if not known:
        return ""
    said = f"The served model {listed(known)}"
    old, new = about.get("estimator_one_row_us"), about["one_row_us"]
    if not old or not new:
        return f"{said}."
    times = (
        f"{number(old / new, 2)} times the time"
        if old >= new
        else f"{share(old / new)} of the time"
    )
    return f"{said}; scikit-learn takes {times} for a row."
