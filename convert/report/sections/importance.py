"""Feature importance, and how answers move with the most important columns."""

from __future__ import annotations

from operator import itemgetter

from onnxlet.convert.report.form.findings import (
    ColumnImportance,
    Dependence,
    DependencePoint,
    Findings,
    Importance,
)
from onnxlet.convert.report.form.plot import LABEL, Plot, Row, curve_with_band, draw_rows
from onnxlet.convert.report.form.wording import (
    FEW_IN_PART,
    count,
    few,
    fitting,
    name,
    number,
    plural,
)
from onnxlet.convert.report.sections.section import Section, clear_of, metric_of, of_part

MOST_BARS = 12
MOST_POINTS = 10  # of a category


@of_part(lambda found: found.importance)
def importance(about: Importance, found: Findings) -> str:
    """What matters, and how many columns hardly do."""
    columns = about.columns
    if not columns:
        return ""
    first = columns[0]
    known = [each for each in columns if each.low is not None]
    weak = [each for each in known if not clear_of(each) or each.value <= 0]
    if known and len(weak) == len(columns):
        return "No column matters beyond chance when it is shuffled by itself."
    said = (
        f"Without {name(first.column, 60)}, shuffled, the {metric_of(found, about)} "
        f"gets worse by {number(first.value)}"
    )
    if not known:
        return f"{said}."
    if not weak:
        return f"{said}; every column matters beyond chance."
    verb = "does" if len(weak) == 1 else "do"
    some = f"{plural(len(weak), 'column')} of {count(len(columns))}"
    return f"{said}; {some} {verb} not matter beyond chance."


@of_part(lambda found: found.importance and found.importance.columns, None)
def importance_plot(columns: list[ColumnImportance], found: Findings) -> Plot | None:
    """The columns that matter most."""
    rows = [Row(fitting(each.column, LABEL), each) for each in columns[:MOST_BARS]]
    axis = "how much worse the score gets with the column shuffled"
    return draw_rows("importance-plot", "Importance of columns", rows, axis, 0, bars=True)


def dependence(each: Dependence) -> str:
    """How far the answer moves along one column."""
    points = [(point.value, point) for point in each.points if point.value is not None]
    if not points:
        return ""
    (low, least), (high, most) = min(points, key=itemgetter(0)), max(points, key=itemgetter(0))
    if low == high:
        return "The average answer does not move."
    thin = any(few(point.rows, FEW_IN_PART) for point in (least, most))
    return (
        f"The average answer is lowest, {number(low)}, at {_at(least)} and highest, "
        f"{number(high)}, at {_at(most)}{'; few rows are there' if thin else ''}."
    )


def _at(point: DependencePoint) -> str:
    at = point.at
    plain = isinstance(at, int | float) and not isinstance(at, bool)
    return number(at) if plain else name(at, 60)


def dependence_plot(index: int, each: Dependence) -> Plot | None:
    """The average answer by categories, or along numbers."""
    key, title = f"dependence-{index}", f"Answer by {name(each.column, 60)}"
    answer = fitting(each.answer, 44) if each.answer else "average answer"
    if each.kind == "category":
        rows = [Row(fitting(point.at, LABEL), point) for point in each.points[:MOST_POINTS]]
        return draw_rows(key, title, rows, answer)
    points = [p for p in each.points if p.at is not None and p.value is not None]
    if not points:
        return None
    said = "; ".join(f"{number(point.at)}: {number(point.value)}" for point in points)
    mark = "-o" if len(points) < 30 else "-"
    return curve_with_band(
        key, title, f"{answer}. {said}.", 240, [point.at for point in points], points,
        (fitting(each.column, 44), answer), (28, 16, 42, 58), mark, 4.5,
    )  # fmt: skip


# The id is the address of a place in the page.
SECTION = Section("leans", "What it leans on", lambda found: found.importance or found.dependence)
