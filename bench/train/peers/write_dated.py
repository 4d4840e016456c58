"""Writes five dated tables of statsmodels' own datasets as CSV, into the folder that is named.

Each has a column `day`, and the one to predict last.
"""

import sys
from pathlib import Path

import pandas as pd
import statsmodels.api as sm


def co2() -> pd.DataFrame:
    """Carbon dioxide above Mauna Loa, weekly."""
    frame: pd.DataFrame = sm.datasets.co2.load_pandas().data.dropna()
    days = pd.Series(frame.index, frame.index).dt.strftime("%Y-%m-%d")
    return pd.DataFrame({"day": days, "co2": frame["co2"]})


def sunspots() -> pd.DataFrame:
    """Beside the last number and that of the cycle before, as one would have them."""
    frame = sm.datasets.sunspots.load_pandas().data
    sun, day = frame["SUNACTIVITY"], [f"{year:.0f}-07-01" for year in frame["YEAR"]]
    made = pd.DataFrame({"day": day, "last": sun.shift(1), "before": sun.shift(11), "spots": sun})
    return made.iloc[11:]


def elnino() -> pd.DataFrame:
    """Temperatures of the sea, monthly."""
    frame = sm.datasets.elnino.load_pandas().data
    months = {each: number for number, each in enumerate(frame.columns)}
    long = frame.melt("YEAR", value_name="temperature")
    months_of = long["variable"].map(months)
    long["day"] = [f"{y:.0f}-{m:02d}-15" for y, m in zip(long["YEAR"], months_of, strict=True)]
    known: pd.DataFrame = long[long["temperature"] > 0]  # -99.99 stands for none
    return known.sort_values("day").filter(["day", "temperature"])


def quarterly(name: str, target: str) -> pd.DataFrame:
    """A table of an economy, one column to be predicted from the others of its quarter."""
    frame: pd.DataFrame = getattr(sm.datasets, name).load_pandas().data
    days = [f"{y:.0f}-{3 * q - 1:02.0f}-15" for y, q in frame[["year", "quarter"]].to_numpy()]
    others = [each for each in frame if each not in ("year", "quarter", target)]
    return frame.assign(day=days).filter(["day", *others, target])


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    tables = {
        "co2": co2(), "sunspots": sunspots(), "elnino": elnino(),
        "macrodata": quarterly("macrodata", "realcons"),
        "interest_inflation": quarterly("interest_inflation", "R"),
    }  # fmt: skip
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
