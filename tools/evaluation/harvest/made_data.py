"""Data of the same form in place of what examples would fetch from the network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import sklearn.datasets as datasets
from sklearn.utils import Bunch

WORDS = [
    "the", "of", "space", "graphic", "orbit", "image", "god", "faith", "hockey", "goal",
    "medicine", "car", "engine", "law", "key",
]  # fmt: skip


class NoData(Exception):
    """Nothing similar is made for it."""


def install() -> None:
    """Put made data in the place of everything that fetches."""
    for name in dir(datasets):
        if name.startswith("fetch_"):
            setattr(datasets, name, FETCHED.get(name) or _nothing(name))


def _nothing(name: str) -> Callable[..., Any]:
    def fetch(*args: Any, **options: Any) -> Any:
        raise NoData(f"{name} {args} {options}"[:100])

    return fetch


def _given(X: Any, y: Any, return_X_y: bool, **more: Any) -> Any:
    return (X, y) if return_X_y else Bunch(data=X, target=y, **more)


def _california(*, return_X_y: bool = False, as_frame: bool = False, **_: Any) -> Any:
    random = np.random.default_rng(0)
    names = [
        "MedInc", "HouseAge", "AveRooms", "AveBedrms", "Population", "AveOccup", "Latitude",
        "Longitude",
    ]  # fmt: skip
    X = random.lognormal([1.2, 3.2, 1.6, 0.1, 7.0, 1.0, 3.5, 0.5], 0.3, (2000, 8))
    X[:, 7] -= 121.0
    y = X[:, 0] * 0.5 + np.sin(X[:, 6]) + random.normal(0, 0.3, 2000)
    frame = pd.DataFrame(X, columns=names)
    target = pd.Series(y, name="MedHouseVal")
    more: dict[str, Any] = {"feature_names": names, "target_names": ["MedHouseVal"], "DESCR": ""}
    more["frame"] = frame.assign(MedHouseVal=target)
    data, answers = (frame, target) if as_frame else (X, y)
    return _given(data, answers, return_X_y, **more)


def _faces(*, return_X_y: bool = False, shuffle: bool = False, **_: Any) -> Any:
    random = np.random.default_rng(0)
    y = np.repeat(np.arange(40), 10)
    if shuffle:
        random.shuffle(y)
    grid = np.linspace(0, 3, 64)
    waves = [np.outer(np.sin(grid * (1 + p % 7)), np.cos(grid * (1 + p % 5))) for p in range(40)]
    X = np.stack([waves[p].ravel() for p in y]) * 0.25 + 0.5 + random.normal(0, 0.05, (400, 4096))
    X = np.clip(X, 0, 1).astype(np.float32)
    return _given(X, y, return_X_y, images=X.reshape(400, 64, 64), DESCR="")


def _newsgroups(*, categories: Any = None, return_X_y: bool = False, **_: Any) -> Any:
    random = np.random.default_rng(0)
    names = list(categories or ["alt.atheism", "comp.graphics", "sci.space", "talk.religion.misc"])
    y = random.integers(0, len(names), 600)
    texts = []
    for label in y:
        shares = np.ones(len(WORDS))
        shares[(3 * label) % len(WORDS)] = 8
        words = random.choice(WORDS, 40, p=shares / shares.sum()).tolist()
        texts.append(f"Subject: {' '.join(words[:5])}\n\n{' '.join(words)} {random.integers(99)}")
    return _given(texts, y, return_X_y, target_names=names, filenames=np.array(texts), DESCR="")


def _vectors(*, return_X_y: bool = False, **_: Any) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts, y = _newsgroups(return_X_y=True)
    return _given(TfidfVectorizer().fit_transform(texts), y, return_X_y)


def _digits(count: int, width: int) -> pd.DataFrame:
    random = np.random.default_rng(0)
    X = np.clip(random.normal(0, 90, (count, width)), 0, 255).round()
    return pd.DataFrame(X, columns=[f"pixel{i + 1}" for i in range(width)])


class _Columns:
    """Makes columns of so many rows, the same each time."""

    def __init__(self, rows: int) -> None:
        self.rows, self.random = rows, np.random.default_rng(0)

    def whole(self, low: int, high: int) -> Any:
        return self.random.integers(low, high, self.rows)

    def one_of(self, *values: Any) -> Any:
        """A category; None is a missing one."""
        return pd.Categorical(self.texts(*values))

    def texts(self, *values: Any) -> Any:
        return self.random.choice(np.array(values, dtype=object), self.rows)

    def seldom(self, high: int) -> Any:
        """Mostly 0."""
        return (self.random.random(self.rows) < 0.1) * self.whole(0, high)

    def with_gaps(self, values: Any) -> Any:
        return np.where(self.random.random(self.rows) < 0.2, np.nan, values)


def _titanic() -> tuple[pd.DataFrame, pd.Series[Any]]:
    made = _Columns(1309)
    random, n = made.random, made.rows
    frame = pd.DataFrame(
        {
            "pclass": made.whole(1, 4),
            "name": [f"Person {i}" for i in range(n)],
            "sex": made.one_of("female", "male"),
            "age": made.with_gaps(random.gamma(6, 5, n).round()),
            "sibsp": made.whole(0, 4),
            "parch": made.whole(0, 4),
            "ticket": made.whole(1000, 9999).astype(str),
            "fare": np.where(np.arange(n) == 7, np.nan, random.lognormal(3, 1, n).round(4)),
            "cabin": made.texts("C85", "E46", None),
            "embarked": made.one_of("C", "Q", "S", "S", None),
        }
    )
    return frame, pd.Series(pd.Categorical((random.random(n) < 0.4).astype(int).astype(str)))


def _adult() -> tuple[pd.DataFrame, pd.Series[Any]]:
    made = _Columns(2000)
    frame = pd.DataFrame(
        {
            "age": made.whole(17, 90),
            "workclass": made.one_of("Private", "State-gov", None),
            "education": made.one_of("HS-grad", "Bachelors", "Masters"),
            "education-num": made.whole(1, 17),
            "marital-status": made.one_of("Divorced", "Never-married"),
            "occupation": made.one_of("Sales", "Tech-support", None),
            "relationship": made.one_of("Husband", "Own-child"),
            "race": made.one_of("White", "Black", "Other"),
            "sex": made.one_of("Female", "Male"),
            "capital-gain": made.seldom(9999),
            "capital-loss": made.seldom(999),
            "hours-per-week": made.whole(1, 99),
            "native-country": made.one_of("United-States", "Mexico"),
            "fnlwgt": made.whole(10_000, 900_000),
        }
    )
    return frame, pd.Series(made.one_of("<=50K", ">50K"), name="class")


def _bikes() -> tuple[pd.DataFrame, pd.Series[Any]]:
    made = _Columns(3000)
    random, n, hours = made.random, made.rows, np.arange(3000)
    frame = pd.DataFrame(
        {
            "season": pd.Categorical(np.take(["spring", "summer", "fall", "winter"], hours // 750)),
            "year": hours // 1500,
            "month": 1 + (hours // 250) % 12,
            "hour": hours % 24,
            "holiday": made.one_of("False", "True"),
            "weekday": (hours // 24) % 7,
            "workingday": made.one_of("False", "True"),
            "weather": made.one_of("clear", "misty", "rain"),
            "temp": random.normal(20, 8, n).round(2),
            "feel_temp": random.normal(22, 8, n).round(3),
            "humidity": random.uniform(0, 1, n).round(2),
            "windspeed": random.uniform(0, 40, n).round(4),
        }
    )
    count = random.poisson(100 + 80 * np.sin(hours % 24 / 4))
    return frame, pd.Series(count, name="count")


def _houses() -> tuple[pd.DataFrame, pd.Series[Any]]:
    made = _Columns(1000)
    numbers = "GrLivArea BedroomAbvGr Fireplaces BsmtFinSF1 KitchenAbvGr 3SsnPorch LotArea"
    texts = "HouseStyle Neighborhood Foundation Street Alley Functional PoolQC BldgType GarageType"
    columns = {"LotFrontage": made.with_gaps(made.whole(0, 2000))}
    for name in [*numbers.split(), "OverallQual", "YearBuilt"]:
        columns[name] = made.whole(0, 2000).astype(float)
    for name in [*texts.split(), "CentralAir"]:
        columns[name] = made.texts(*(f"{name[:3]}{number}" for number in range(5)), None)
    frame = pd.DataFrame(columns)
    frame["YrSold"] = frame["YearBuilt"] + 5
    return frame, pd.Series(made.random.lognormal(12, 0.4, 1000).round(), name="SalePrice")


def _claims() -> tuple[pd.DataFrame, pd.Series[Any]]:
    """freMTPL2freq, and with it what examples join to it."""
    made = _Columns(2000)
    random, n = made.random, made.rows
    frame = pd.DataFrame(
        {
            "IDpol": np.arange(1.0, n + 1),
            "ClaimNb": random.poisson(0.1, n).astype(float),
            "Exposure": random.uniform(0.1, 1.0, n).round(2),
            "Area": made.one_of(*"ABCDEF"),
            "VehPower": made.whole(4, 12).astype(float),
            "VehAge": made.whole(0, 20).astype(float),
            "DrivAge": made.whole(18, 90).astype(float),
            "BonusMalus": made.whole(50, 150).astype(float),
            "VehBrand": made.one_of("B1", "B2", "B12"),
            "VehGas": made.texts("Diesel", "Regular"),
            "Density": random.lognormal(6, 1, n).round(),
            "Region": made.one_of("R24", "R53", "R82"),
        }
    )
    return frame, pd.Series(np.zeros(n), name="none")


def _costs() -> tuple[pd.DataFrame, pd.Series[Any]]:
    """freMTPL2sev."""
    frame, _ = _claims()
    claimed = frame.loc[frame["ClaimNb"] > 0, "IDpol"]
    amounts = np.random.default_rng(0).lognormal(7, 1, len(claimed)).round(2)
    costs = pd.DataFrame({"IDpol": claimed.to_numpy(), "ClaimAmount": amounts})
    return costs, pd.Series(np.zeros(len(costs)), name="none")


def _wages() -> tuple[pd.DataFrame, pd.Series[Any]]:
    made = _Columns(534)
    frame = pd.DataFrame(
        {
            "EDUCATION": made.whole(2, 19),
            "SOUTH": made.one_of("no", "yes"),
            "SEX": made.one_of("female", "male"),
            "EXPERIENCE": made.whole(0, 56),
            "UNION": made.one_of("not_member", "member"),
            "AGE": made.whole(18, 65),
            "RACE": made.one_of("Hispanic", "Other", "White"),
            "OCCUPATION": made.one_of("Clerical", "Management", "Sales"),
            "SECTOR": made.one_of("Construction", "Other"),
            "MARR": made.one_of("Unmarried", "Married"),
        }
    )
    return frame, pd.Series(made.random.lognormal(2, 0.5, made.rows).round(2), name="WAGE")


def _of_digits(width: int) -> Callable[[], tuple[pd.DataFrame, pd.Series[Any]]]:
    y = pd.Series(pd.Categorical([str(i % 10) for i in range(2000)]), name="class")
    return lambda: (_digits(2000, width), y)


OPENML: dict[Any, Callable[[], tuple[pd.DataFrame, pd.Series[Any]]]] = {
    "titanic": _titanic,
    "adult": _adult,
    1590: _adult,
    "Bike_Sharing_Demand": _bikes,
    42712: _bikes,
    "house_prices": _houses,
    42165: _houses,
    534: _wages,
    41214: _claims,
    41215: _costs,
    "mnist_784": _of_digits(784),
    41082: _of_digits(256),
}


def _openml(
    name: Any = None, *, data_id: Any = None, return_X_y: bool = False, as_frame: Any = "auto",
    **_: Any,
) -> Any:  # fmt: skip
    make = OPENML.get(data_id if name is None else name)
    if make is None:
        raise NoData(f"OpenML's {name or data_id}")
    X, y = make()
    if as_frame is False:
        return _given(X.to_numpy(), y.to_numpy(), return_X_y)
    whole = X.assign(**{str(y.name or "target"): y.to_numpy()})
    return _given(X, y, return_X_y, frame=whole, feature_names=list(X), DESCR="")


FETCHED: dict[str, Callable[..., Any]] = {
    "fetch_20newsgroups": _newsgroups,
    "fetch_20newsgroups_vectorized": _vectors,
    "fetch_california_housing": _california,
    "fetch_olivetti_faces": _faces,
    "fetch_openml": _openml,
}
