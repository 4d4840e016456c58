"""Data of the same form in place of what examples would fetch from the network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import sklearn.datasets as datasets
from sklearn.utils import Bunch

WORDS = [
    "the",
    "of",
    "space",
    "graphic",
    "orbit",
    "image",
    "god",
    "faith",
    "hockey",
    "goal",
    "medicine",
    "car",
    "engine",
    "law",
    "key",
]


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


def _choice(random: np.random.Generator, values: list[Any], count: int) -> Any:
    """Some of the values, of which one may be None."""
    return random.choice(np.array(values, dtype=object), count)


def _given(X: Any, y: Any, return_X_y: bool, **more: Any) -> Any:
    return (X, y) if return_X_y else Bunch(data=X, target=y, **more)


def _california(*, return_X_y: bool = False, as_frame: bool = False, **_: Any) -> Any:
    random = np.random.default_rng(0)
    names = [
        "MedInc",
        "HouseAge",
        "AveRooms",
        "AveBedrms",
        "Population",
        "AveOccup",
        "Latitude",
        "Longitude",
    ]
    X = random.lognormal([1.2, 3.2, 1.6, 0.1, 7.0, 1.0, 3.5, 0.5], 0.3, (2000, 8))
    X[:, 7] -= 121.0
    y = X[:, 0] * 0.5 + np.sin(X[:, 6]) + random.normal(0, 0.3, 2000)
    frame = pd.DataFrame(X, columns=names)
    target = pd.Series(y, name="MedHouseVal")
    whole = frame.assign(MedHouseVal=target)
    more: dict[str, Any] = {
        "feature_names": names,
        "target_names": ["MedHouseVal"],
        "frame": whole,
        "DESCR": "",
    }
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


def _titanic() -> tuple[pd.DataFrame, pd.Series[Any]]:
    random = np.random.default_rng(0)
    n = 1309
    frame = pd.DataFrame(
        {
            "pclass": random.integers(1, 4, n),
            "name": [f"Person {i}" for i in range(n)],
            "sex": pd.Categorical(random.choice(["female", "male"], n)),
            "age": np.where(random.random(n) < 0.2, np.nan, random.gamma(6, 5, n).round()),
            "sibsp": random.integers(0, 4, n),
            "parch": random.integers(0, 4, n),
            "ticket": [str(i) for i in random.integers(1000, 9999, n)],
            "fare": np.where(np.arange(n) == 7, np.nan, random.lognormal(3, 1, n).round(4)),
            "cabin": _choice(random, ["C85", "E46", None], n),
            "embarked": pd.Categorical(_choice(random, ["C", "Q", "S", "S", None], n)),
        }
    )
    return frame, pd.Series(pd.Categorical((random.random(n) < 0.4).astype(int).astype(str)))


def _adult() -> tuple[pd.DataFrame, pd.Series[Any]]:
    random = np.random.default_rng(0)
    n = 2000
    frame = pd.DataFrame(
        {
            "age": random.integers(17, 90, n),
            "workclass": pd.Categorical(_choice(random, ["Private", "State-gov", None], n)),
            "education": pd.Categorical(random.choice(["HS-grad", "Bachelors", "Masters"], n)),
            "education-num": random.integers(1, 17, n),
            "marital-status": pd.Categorical(random.choice(["Divorced", "Never-married"], n)),
            "occupation": pd.Categorical(_choice(random, ["Sales", "Tech-support", None], n)),
            "relationship": pd.Categorical(random.choice(["Husband", "Own-child"], n)),
            "race": pd.Categorical(random.choice(["White", "Black", "Other"], n)),
            "sex": pd.Categorical(random.choice(["Female", "Male"], n)),
            "capital-gain": (random.random(n) < 0.1) * random.integers(0, 9999, n),
            "capital-loss": (random.random(n) < 0.1) * random.integers(0, 999, n),
            "hours-per-week": random.integers(1, 99, n),
            "native-country": pd.Categorical(random.choice(["United-States", "Mexico"], n)),
            "fnlwgt": random.integers(10_000, 900_000, n),
        }
    )
    return frame, pd.Series(pd.Categorical(random.choice(["<=50K", ">50K"], n)), name="class")


def _bikes() -> tuple[pd.DataFrame, pd.Series[Any]]:
    random = np.random.default_rng(0)
    n = 3000
    hours = np.arange(n)
    frame = pd.DataFrame(
        {
            "season": pd.Categorical(np.take(["spring", "summer", "fall", "winter"], hours // 750)),
            "year": hours // 1500,
            "month": 1 + (hours // 250) % 12,
            "hour": hours % 24,
            "holiday": pd.Categorical(random.choice(["False", "True"], n)),
            "weekday": (hours // 24) % 7,
            "workingday": pd.Categorical(random.choice(["False", "True"], n)),
            "weather": pd.Categorical(random.choice(["clear", "misty", "rain"], n)),
            "temp": random.normal(20, 8, n).round(2),
            "feel_temp": random.normal(22, 8, n).round(3),
            "humidity": random.uniform(0, 1, n).round(2),
            "windspeed": random.uniform(0, 40, n).round(4),
        }
    )
    count = random.poisson(100 + 80 * np.sin(hours % 24 / 4))
    return frame, pd.Series(count, name="count")


def _houses() -> tuple[pd.DataFrame, pd.Series[Any]]:
    random = np.random.default_rng(0)
    n = 1000
    numbers = [
        "LotFrontage",
        "GrLivArea",
        "BedroomAbvGr",
        "Fireplaces",
        "BsmtFinSF1",
        "KitchenAbvGr",
        "3SsnPorch",
        "LotArea",
        "OverallQual",
        "YearBuilt",
    ]
    texts = [
        "HouseStyle",
        "Neighborhood",
        "Foundation",
        "Street",
        "Alley",
        "Functional",
        "PoolQC",
        "BldgType",
        "GarageType",
        "CentralAir",
    ]
    made: dict[str, Any] = {c: random.integers(0, 2000, n).astype(float) for c in numbers}
    made["LotFrontage"][random.random(n) < 0.2] = np.nan
    made |= {c: _choice(random, [*(f"{c[:3]}{i}" for i in range(5)), None], n) for c in texts}
    frame = pd.DataFrame(made)
    frame["YrSold"] = frame["YearBuilt"] + 5
    return frame, pd.Series(random.lognormal(12, 0.4, n).round(), name="SalePrice")


def _claims() -> tuple[pd.DataFrame, pd.Series[Any]]:
    """freMTPL2freq, and with it what examples join to it."""
    random = np.random.default_rng(0)
    n = 2000
    frame = pd.DataFrame(
        {
            "IDpol": np.arange(1.0, n + 1),
            "ClaimNb": random.poisson(0.1, n).astype(float),
            "Exposure": random.uniform(0.1, 1.0, n).round(2),
            "Area": pd.Categorical(random.choice(list("ABCDEF"), n)),
            "VehPower": random.integers(4, 12, n).astype(float),
            "VehAge": random.integers(0, 20, n).astype(float),
            "DrivAge": random.integers(18, 90, n).astype(float),
            "BonusMalus": random.integers(50, 150, n).astype(float),
            "VehBrand": pd.Categorical(random.choice(["B1", "B2", "B12"], n)),
            "VehGas": random.choice(["Diesel", "Regular"], n),
            "Density": random.lognormal(6, 1, n).round(),
            "Region": pd.Categorical(random.choice(["R24", "R53", "R82"], n)),
        }
    )
    return frame, pd.Series(np.zeros(n), name="none")


def _costs() -> tuple[pd.DataFrame, pd.Series[Any]]:
    """freMTPL2sev."""
    random = np.random.default_rng(0)
    frame, _ = _claims()
    claimed = frame.loc[frame["ClaimNb"] > 0, "IDpol"]
    amounts = random.lognormal(7, 1, len(claimed)).round(2)
    costs = pd.DataFrame({"IDpol": claimed.to_numpy(), "ClaimAmount": amounts})
    return costs, pd.Series(np.zeros(len(costs)), name="none")


def _wages() -> tuple[pd.DataFrame, pd.Series[Any]]:
    random = np.random.default_rng(0)
    n = 534
    frame = pd.DataFrame(
        {
            "EDUCATION": random.integers(2, 19, n),
            "SOUTH": pd.Categorical(random.choice(["no", "yes"], n)),
            "SEX": pd.Categorical(random.choice(["female", "male"], n)),
            "EXPERIENCE": random.integers(0, 56, n),
            "UNION": pd.Categorical(random.choice(["not_member", "member"], n)),
            "AGE": random.integers(18, 65, n),
            "RACE": pd.Categorical(random.choice(["Hispanic", "Other", "White"], n)),
            "OCCUPATION": pd.Categorical(random.choice(["Clerical", "Management", "Sales"], n)),
            "SECTOR": pd.Categorical(random.choice(["Construction", "Other"], n)),
            "MARR": pd.Categorical(random.choice(["Unmarried", "Married"], n)),
        }
    )
    return frame, pd.Series(random.lognormal(2, 0.5, n).round(2), name="WAGE")


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
    name: Any = None,
    *,
    data_id: Any = None,
    return_X_y: bool = False,
    as_frame: Any = "auto",
    **_: Any,
) -> Any:
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
