"""A weighted mean of a few candidates' answers, where it is better than the best of them.

Caruana, Niculescu-Mizil, Crew, Ksikes: Ensemble selection from libraries of models (ICML 2004).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from onnxlet.convert.metrics.metrics import Array
from onnxlet.convert.train.scoring import Scorer

MOST = 5  # different ones
STEPS = 25  # of which each adds one once more
PATIENCE = 5  # steps without a better one
MOST_ROWS = 30_000  # that a step looks at


def choose(
    answers: Sequence[Array],
    worths: Sequence[float],
    scorer: Scorer,
    over: Callable[[], bool] = lambda: False,
) -> dict[int, float]:
    """Weights by position: the best one, or at most five that are better in the mean over folds.

    A mean of different models is hardly ever worse than the luckiest of them: asking for a gain
    beyond noise cost more on tables with few folds than the ensembles that it spared. Each answers
    the validation rows, (n,) or (n, classes), and has its worth; more is better.
    """
    best = int(np.argmax(worths))
    counts = _selected(answers, best, scorer, over)
    total = sum(counts.values())
    weights = {index: count / total for index, count in sorted(counts.items())}
    # Of rows that were thinned an ensemble may have been better.
    if len(weights) < 2 or scorer.worth(weighted(answers, weights)) <= worths[best]:
        return {best: 1.0}
    return weights


def weighted(answers: Sequence[Array], weights: dict[int, float]) -> Array:
    """The weighted mean of some answers."""
    return np.asarray(sum(weight * answers[index] for index, weight in weights.items()))


def _selected(
    answers: Sequence[Array], best: int, scorer: Scorer, over: Callable[[], bool]
) -> Counter[int]:
    """How often each was added, up to the step after which none made it better.

    They are scored as candidates are, by the mean over folds: over all folds together a ranking
    suffers where models are differently sure of themselves from fold to fold.
    """
    scorer, answers = _fewer(scorer, answers)
    counts, total = Counter({best: 1}), answers[best]
    kept, kept_worth, since = Counter(counts), scorer.worth(answers[best]), 0
    for step in range(2, STEPS + 1):
        known = list(counts) if len(counts) == MOST else range(len(answers))
        tried = {i: scorer.worth((total + answers[i]) / step) for i in known if not over()}
        if over() or since == PATIENCE:
            break
        index = max(tried, key=lambda i: (tried[i], i in counts, -i))
        counts[index] += 1
        total = total + answers[index]
        since += 1
        if tried[index] > kept_worth:
            kept, kept_worth, since = Counter(counts), tried[index], 0
    return kept


def _fewer(scorer: Scorer, answers: Sequence[Array]) -> tuple[Scorer, Sequence[Array]]:
    """The same for every so many rows, where there are very many."""
    every = -(-len(scorer.truth) // MOST_ROWS)
    if every == 1:
        return scorer, answers
    rows = [np.arange(fold.start, fold.stop, every) for fold in scorer.folds]
    ends = np.cumsum([len(part) for part in rows])
    folds = [slice(int(end) - len(part), int(end)) for end, part in zip(ends, rows, strict=True)]
    chosen = np.concatenate(rows)
    thinned = scorer._replace(truth=scorer.truth[chosen], folds=folds)
    return thinned, [one[chosen] for one in answers]
