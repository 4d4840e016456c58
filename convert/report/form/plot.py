"""Plots: what they are drawn on, their usual forms, and how they become SVG that the page colours.

Sizes are in CSS pixels. A plot is as wide as a small screen, so that its text stays readable there.
Colours have the names that the page's style has for them, in light and dark. They are the page's
(function/http/page), and Okabe and Ito's blue and vermilion for what stands against the model.
matplotlib draws with a placeholder for each, which becomes a variable of CSS.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from html import escape
from io import StringIO
from typing import Any, NamedTuple

from onnxlet.convert.report.form.figures import Estimate
from onnxlet.convert.report.form.wording import count, interval, listed, number

WIDTH = 380
SMALL = 11.5
TEXT = 12.5
SETTINGS = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "onnxlet",  # ids by content, not by chance
    "text.parse_math": False,  # a column may be called $x$
    "font.family": ["DejaVu Sans"],  # matplotlib's own: what is measured is the same everywhere
    "font.size": TEXT,
    "axes.unicode_minus": True,
    "path.simplify": False,
}
# Of a plot of rows.
HIGH = 40  # pixels of a row
TOP, BOTTOM, SIDE = 6, 40, 14
LABEL = 32  # characters, beside the value
NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
Margins = tuple[float, float, float, float]  # around the axes in pixels: top, right, bottom, left
Legend = tuple[tuple[str, str], ...]  # what marks are: the class that draws each, and words


class Colour(NamedTuple):
    """One colour of CSS, in hexadecimal: on light ground, and on dark ground."""

    light: str
    dark: str


GRAPHICS = {  # lines and areas: 3:1 at least against the cards that they lie on
    "model": Colour("#0b6b66", "#62c9bf"),
    "other": Colour("#c2500a", "#f0986f"),
    "third": Colour("#0072b2", "#7db8f0"),
    "plain": Colour("#77746c", "#8f959e"),
}
TEXTS = {  # 4.5:1 at least against each ground that they stand on
    "ink": Colour("#1f2226", "#eceae6"),
    "soft": Colour("#5c6169", "#a5abb4"),
    "accent": Colour("#0b6b66", "#62c9bf"),
    "warn": Colour("#8a4b00", "#f0b36f"),
}
GROUNDS = {
    "ground": Colour("#f7f5f1", "#121417"),
    "card": Colour("#ffffff", "#1a1d21"),
    "sunk": Colour("#f3f1ec", "#15171b"),
    "tint": Colour("#e3f0ee", "#1b302f"),
    "warn-tint": Colour("#fbf0e0", "#2d2416"),
}
LINES = {"line": Colour("#e2ded6", "#2c3036"), "edge": Colour("#8b877e", "#757b85")}
COLOURS = {**GRAPHICS, **TEXTS, **GROUNDS, **LINES}

# No colour of matplotlib's own is one of these, so that none is replaced by mistake.
PLACEHOLDERS = {name: f"#f00d{number:02x}" for number, name in enumerate(COLOURS, 16)}
colour = PLACEHOLDERS.__getitem__  # the placeholder that becomes the variable of a name


def declarations(scheme: str) -> str:
    """The variables of CSS in one scheme, `light` or `dark`."""
    colours = [f"--{name}: {getattr(each, scheme)};" for name, each in COLOURS.items()]
    cell = " ".join(map(str, bytes.fromhex(getattr(COLOURS["model"], scheme)[1:])))
    return f"{' '.join(colours)} --cell: {cell};"


class Plot(NamedTuple):
    """A plot that is ready for the page."""

    svg: str  # the element, with its title and its description
    legend: Legend = ()


def plot(
    key: str,
    title: str,
    description: str,
    height: float,
    draw: Callable[[Any], object],
    margins: Margins,
    legend: Legend = (),
) -> Plot:
    """Draw one plot.

    Its ids begin with `key`, which is unique on the page. The description has its numbers, for
    whoever can't see it. The height is in pixels. `draw` is given the axes, in matplotlib's form.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    top, right, bottom, left = margins
    wide, high = 1 - (left + right) / WIDTH, 1 - (top + bottom) / height
    # `default` first: what a user has set in a matplotlibrc would change the page.
    settings: dict[Any, Any] = {**mpl.rcParamsDefault, "backend": "svg", **SETTINGS}
    with mpl.rc_context(settings):
        figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72)
        figure.patch.set_visible(False)
        axes = figure.add_axes((left / WIDTH, bottom / height, wide, high))
        _dress(axes)
        with warnings.catch_warnings():
            # The page's own fonts have the glyphs that DejaVu lacks.
            warnings.filterwarnings("ignore", "Glyph .* missing from")
            draw(axes)
            written = StringIO()
            figure.savefig(written, format="svg", metadata=NO_METADATA)
    return Plot(_for_page(written.getvalue(), key, title, description), legend)


def _dress(axes: Any) -> None:
    axes.set_facecolor("none")
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(colour("edge"))
        spine.set_linewidth(1)
    axes.tick_params(colors=colour("soft"), labelsize=SMALL, length=0, pad=6)
    axes.grid(True, axis="y", color=colour("line"), linewidth=1)
    axes.set_axisbelow(True)


def titles(axes: Any, x: str, y: str = "") -> None:
    """Write what the axes are: x below, y above the axis, where it needs no turned head."""
    axes.set_xlabel(x, color=colour("soft"), fontsize=SMALL, labelpad=6)
    if y:
        axes.set_title(y, color=colour("soft"), fontsize=SMALL, loc="left", x=0, pad=7)


def ticks(axes: Any, down: int = 5) -> None:
    """Plain ones of both axes; those of y at most so many."""
    plain_ticks(axes.xaxis)
    plain_ticks(axes.yaxis, down)


def plain_ticks(axis: Any, most: int = 5, write: Callable[[float], str] = number) -> None:
    """At most so many ticks, their numbers as in the text."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: _short(write(round(float(value), 12)))))


def _short(text: str) -> str:
    """Without zeros at the end: ticks are round."""
    return re.sub(r"(\.\d*?)0+(?=$|\D)", r"\1", text).replace(".\u202f", "\u202f").removesuffix(".")


def percent_ticks(axis: Any) -> None:
    """Ticks of shares at each quarter."""
    axis.set_ticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100\u202f%"])


def _for_page(svg: str, key: str, title: str, description: str) -> str:
    """One element without prolog: colours are variables, the font the page's, ids its own."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<(metadata|title)>.*?</\1>|<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r"font-family: [^;\"]+;? ?", "", body)
    body = re.sub(r"font: (?:[a-z0-9]+ )*?([\d.]+)px [^;\"]+", r"font-size: \1px", body)
    for name, placeholder in PLACEHOLDERS.items():
        body = body.replace(placeholder, f"var(--{name})")
    body = re.sub(r'\bid="', f'id="{key}-', body)
    body = re.sub(r'(href="|url\()#', rf"\1#{key}-", body)
    box = re.search(r'viewBox="([^"]+)"', body)
    start = body.index(">") + 1
    head = (
        f'<svg class="plot" viewBox="{box[1] if box else ""}" role="img" '
        f'aria-labelledby="{key}-title {key}-about"><title id="{key}-title">{escape(title)}</title>'
        f'<desc id="{key}-about">{escape(description)}</desc>'
    )
    return head + re.sub(r"\n\s*", "\n", body[start:]).strip()


def histogram(
    key: str,
    title: str,
    edges: Sequence[float],
    counts: Sequence[int],
    height: float,
    margins: Margins,
    x: str,
    mark: float | None = None,
) -> Plot:
    """Draw counts of rows by bin, between edges; with a line at a mark."""

    def draw(axes: Any) -> None:
        axes.stairs(counts, edges, fill=True, color=colour("model"), alpha=0.75)
        if mark is not None:
            axes.axvline(mark, color=colour("ink"), linewidth=1)
        ticks(axes, 4)
        titles(axes, x, "rows")

    ends = f"From {number(edges[0])} to {number(edges[-1])}"
    description = f"{ends}; rows by bin: {listed([count(each) for each in counts], 60)}."
    return plot(key, title, description, height, draw, margins)


def curve_with_band(
    key: str,
    title: str,
    description: str,
    height: float,
    at: Sequence[float],
    points: Sequence[Estimate],
    axes_titles: tuple[str, str],
    margins: Margins,
    mark: str = "-o",
    markersize: float = 6,
    ends: tuple[float, float] | None = None,
    legend: Legend = (),
) -> Plot:
    """Draw values along numbers, their intervals as a band; `ends` are those of the x axis."""
    spans = [span(point) for point in points]

    def draw(axes: Any) -> None:
        lows, highs = [low for _, low, _ in spans], [high for _, _, high in spans]
        axes.fill_between(at, lows, highs, color=colour("model"), alpha=0.2, linewidth=0)
        axes.plot(at, [s[0] for s in spans], mark, color=colour("model"), markersize=markersize)
        if ends is not None:
            axes.set_xlim(*ends)
        ticks(axes)
        titles(axes, *axes_titles)

    return plot(key, title, description, height, draw, margins, legend)


def span(point: Estimate) -> tuple[float, float, float]:
    """Value, low and high; the value twice where it has no interval."""
    value, low, high = point.value, point.low, point.high
    assert value is not None  # noqa: S101 - points without a value are left out before
    return value, value if low is None else low, value if high is None else high


class Row(NamedTuple):
    """One row of such a plot."""

    label: str  # as `wording.name` gives it, LABEL characters at most
    of: Estimate
    colour: str = "model"  # of the palette
    marker: str = "o"  # of matplotlib's: colour is never all that tells rows apart
    strong: bool = False  # the one that matters


def draw_rows(
    key: str,
    title: str,
    rows: Sequence[Row],
    axis: str,
    zero: float | None = None,
    write: Callable[[float | None], str] = number,
    bars: bool = False,
) -> Plot | None:
    """Draw rows that have a value, the first one on top; None where none has.

    A line is drawn at `zero`, such as at no difference, and bars begin there.
    """
    rows = [row for row in rows if row.of.value is not None]

    def draw(axes: Any) -> None:
        spans = [span(row.of) for row in rows]
        least, most = _limits(spans, zero)
        axes.set_xlim(least, most)
        axes.set_ylim(len(rows) - 0.72, -0.95)
        if zero is not None:
            axes.axvline(zero, color=colour("edge"), linewidth=1, zorder=1)
        for y, (row, (value, low, high)) in enumerate(zip(rows, spans, strict=True)):
            paint = colour(row.colour)
            if bars and zero is not None:
                axes.barh(y, value - zero, 0.22, zero, color=paint, alpha=0.28, linewidth=0)
            axes.plot([low, high], [y, y], color=paint, linewidth=2.5, solid_capstyle="butt")
            axes.plot([value], [y], row.marker, color=paint, markersize=8 if row.strong else 7)
            # Above its bar, where it has the whole width: names are long, screens narrow.
            tone, large = ("ink", TEXT) if row.strong else ("soft", SMALL)
            _write(axes, (0, y), row.label, "left", tone, large)
            _write(axes, (1, y), write(value), "right", "ink", SMALL + row.strong)
        axes.set_yticks([])
        axes.grid(False)
        axes.grid(True, axis="x", color=colour("line"), linewidth=1)
        plain_ticks(axes.xaxis, 5, write)
        titles(axes, axis)

    if not rows:
        return None
    description = "; ".join(_described(row, write) for row in rows)
    height = TOP + HIGH * len(rows) + BOTTOM
    return plot(key, title, f"{axis}. {description}.", height, draw, (TOP, SIDE, BOTTOM, SIDE))


def _described(row: Row, write: Callable[[float | None], str]) -> str:
    between = interval(row.of)
    return f"{row.label}: {write(row.of.value)}" + (f" ({between})" if between else "")


def _write(
    axes: Any, at: tuple[float, float], text: str, side: str, tone: str, fontsize: float
) -> None:
    """Write at a share of the width, a little above a row."""
    axes.annotate(
        text, at, xycoords=("axes fraction", "data"), xytext=(0, 7), textcoords="offset points",
        color=colour(tone), fontsize=fontsize, ha=side, va="bottom", annotation_clip=False,
    )  # fmt: skip


def _limits(spans: Sequence[tuple[float, float, float]], zero: float | None) -> tuple[float, float]:
    ends = [end for each in spans for end in each] + ([] if zero is None else [zero])
    least, most = min(ends), max(ends)
    room = (most - least) * 0.06 or abs(most) * 0.1 or 1.0
    return least - (0 if least == zero else room), most + room
