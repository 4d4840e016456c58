"""Drift: what counting costs, and how good what it reports is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench import watch_costs, watch_quality, watch_requests
from bench.report import comparisons, figures
from bench.serving import Fitted
from bench.watch_requests import Loaded
from tests.function.monitoring.models import rows_of

EXAMPLES = Path(__file__).resolve().parent.parent / "convert" / "examples"
EXAMPLE_MODELS = {"house-prices": "house_prices", "loan-default": "loan_default"}
NUMBERS_ONLY = "logistic"
ABOUT = f"""**Requests** to the two example models, and to a logistic regression of 30 numbers, with
ONNXLET_WATCH=on and off, side by side. Over a socket: `edge serve` on one core, with keys and its
log, the client on the other, one connection; {watch_requests.PAIRS} pairs of servers,
{watch_requests.TURNS} turns of {watch_requests.SECONDS} s each. In this process: only the WSGI
application, without a log, the harshest view. A ratio is the median over pairs of turns. The mean
is of all of a turn's time: what one request leaves for a later one is in it. The processor's time
is that of the server, whatever else the machine does.
"""
ABOUT_COSTS = f"""**Start, memory and size.** {watch_costs.STARTS} starts each with house prices,
taking turns. Memory after {watch_costs.ROWS:,} requests of one row: arrays by `sys.getsizeof`, and
all that is allocated by `tracemalloc`. A kB is 1,000 bytes.
"""
SAME = """Tests hold estimates against NannyML's (to 1e-6),
statistics against Evidently's and SciPy's,
and intervals and sets against MAPIE's (to 1e-9): `tests/references` has their figures.
"""


def section(models: Path, fitted: Fitted) -> str:
    """Measure, and return the section as Markdown."""
    folder = models.parent / "watch"
    watched = models.parent / "watched"
    loaded = list(built_examples(models, watched, fitted))
    houses = loaded[0]
    lines = [
        *watch_requests.over_a_socket(watched, loaded),
        *watch_requests.in_this_process(watched, loaded),
    ]
    parts = [ABOUT, comparisons("without", lines)]
    parts += [figures(watch_requests.counting(watched, loaded)), ABOUT_COSTS]
    parts += [comparisons("without", watch_costs.starts(watched, houses))]
    sizes = [*watch_costs.sizes(watched, loaded, folder), *watch_costs.bundle(models, folder)]
    return "\n".join([*parts, figures(sizes), watch_quality.section(folder), SAME])


def built_examples(models: Path, watched: Path, fitted: Fitted) -> Iterator[Loaded]:
    """The examples, and one of the bench's models, in a folder of their own; and held-out rows."""
    from onnxlet.convert.build import build
    from onnxlet.convert.sources.source import load_source

    watched.mkdir()
    for name, file in EXAMPLE_MODELS.items():
        source = load_source(f"{EXAMPLES / file}.py:build")
        build(source, name, watched, lambda line: None)
        yield Loaded(name, rows_of(source.X_test))
    (watched / NUMBERS_ONLY).symlink_to(models / NUMBERS_ONLY)
    yield Loaded(NUMBERS_ONLY, rows_of(fitted[NUMBERS_ONLY][1]))
