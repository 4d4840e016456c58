"""Evidently's and SciPy's statistics of two samples, of counts of the same bins.

Evidently is given one row for each count, as categories. Its own habits:

- PSI is the sum of (p - q) ln(p / q) over the bins of either sample. A share of 0 becomes 0.0001,
  or a millionth of the smallest share above 0 of that sample where that one is 0.0001 or less; the
  others stay, so that the sum of the shares is above 1.
- chi-square is the p-value of how well new rows fit the reference taken as exact, not of two
  samples; that of SciPy's `chi2_contingency` (without Yates' correction) is of two samples.
- KS is SciPy's `ks_2samp`: the p-value is exact for at most 10,000 rows, and takes no account of
  ties, of which rows in bins have many.

SciPy's quantiles are those that a variable exceeds with the probability `chance`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from evidently.legacy.calculations.stattests import chi_stat_test, ks_stat_test, psi_stat_test
from evidently.legacy.core import ColumnType
from scipy import stats

from tools.evaluation.references.writing import figure, write

PAIRS: list[tuple[str, list[int], list[int]]] = [
    ("alike", [120, 240, 180, 60], [43, 77, 59, 21]),
    ("shifted", [50, 150, 300, 300, 150, 50], [10, 40, 160, 260, 230, 100]),
    ("ten bins", [205, 198, 201, 196, 200, 207, 193, 199, 202, 199],
     [118, 93, 131, 96, 88, 102, 75, 110, 99, 88]),
    ("two bins", [731, 269], [145, 55]),
    ("rare", [1, 5, 1994], [3, 2, 495]),
    ("empty in the new rows", [30, 45, 25, 5], [12, 20, 8, 0]),
    ("empty in the reference", [100, 200, 0, 300], [25, 40, 7, 80]),
    ("empty in both", [100, 0, 200, 0, 300], [20, 0, 35, 4, 60]),
]  # fmt: skip
CHANCES = [0.5, 0.05, 0.01, 0.001, 1e-6, 1e-10]
DEGREES = [1, 2, 5, 9, 20, 99]


def main() -> None:
    """Write tests/references/evidently.json."""
    pairs = [_pair(title, reference, counts) for title, reference, counts in PAIRS]
    write(
        "evidently",
        ["evidently", "numpy", "pandas", "scipy"],
        {"pairs": pairs, "quantiles": [_quantiles(chance) for chance in CHANCES]},
    )


def _pair(title: str, reference: list[int], counts: list[int]) -> dict[str, Any]:
    columns = (_rows(reference), _rows(counts))
    table = np.array([reference, counts])
    contingency = stats.chi2_contingency(table[:, table.any(axis=0)], correction=False)
    distance = stats.ks_2samp(*columns)
    psi = psi_stat_test(*columns, ColumnType.Categorical, None)
    fit = chi_stat_test(*columns, ColumnType.Categorical, None)
    ks = ks_stat_test(*columns, ColumnType.Numerical, None)
    return {
        "title": title,
        "reference": reference,
        "counts": counts,
        "evidently": {
            "psi": figure(psi.drift_score),
            "chi_square_p": figure(fit.drift_score),
            "ks_p": figure(ks.drift_score),
        },
        "scipy": {
            "chi_square": figure(contingency.statistic),
            "chi_square_df": int(contingency.dof),
            "chi_square_p": figure(contingency.pvalue),
            "ks": figure(distance.statistic),
            "ks_p": figure(distance.pvalue),
        },
    }


def _rows(counts: list[int]) -> pd.Series:
    """A row for each count: the index of its bin."""
    return pd.Series(np.repeat(np.arange(len(counts)), counts))


def _quantiles(chance: float) -> dict[str, Any]:
    return {
        "chance": chance,
        "chi_square": [[df, figure(stats.chi2.isf(chance, df))] for df in DEGREES],
        "kolmogorov": figure(stats.kstwobign.isf(chance)),
    }


if __name__ == "__main__":
    main()
