"""Which bands may this listener like? Factorised ratings, of bands and listeners that are made up.

Ratings that may be shipped were not found. With triples of your own, of user, item and rating,
`triples.pivot(index="user", columns="item", values="rating")` is what `Ratings` takes.
"""

from itertools import product

import numpy as np
import pandas as pd

from onnxlet import Ratings
from onnxlet.convert.examples.parts import Answer, Scores

FIRST = ["Quiet", "Velvet", "Northern", "Paper", "Electric", "Salt", "Golden", "Midnight"]
SECOND = ["Harbour", "Foxes", "Orchestra", "Machines", "Gardens", "Letters", "Rivers", "Parade"]
BANDS = [f"{one} {other}" for one, other in product(FIRST, SECOND)]
LISTENERS, HELD_OUT = 1500, 300
LIKED = 4.0  # of five stars: who would give so many likes a band


def made() -> tuple[pd.DataFrame, pd.DataFrame]:
    """What listeners would rate every band, and what they have rated: what they like, mostly."""
    random = np.random.default_rng(0)
    tastes, styles = random.normal(size=(LISTENERS, 5)), random.normal(size=(5, len(BANDS)))
    quality, kindness = random.normal(3.3, 0.4, len(BANDS)), random.normal(0, 0.3, (LISTENERS, 1))
    truth = (quality + kindness + 0.45 * tastes @ styles).clip(0.5, 5)
    stars = np.rint(2 * (truth + random.normal(0, 0.4, truth.shape))).clip(1, 10) / 2
    heard = random.random(truth.shape) < 0.08 * truth
    rated = pd.DataFrame(np.where(heard, stars, np.nan), columns=BANDS)
    return pd.DataFrame(truth, columns=BANDS), rated


def build() -> tuple[Ratings, pd.DataFrame, None]:
    """Fit the model; return it with the ratings of listeners that it has not seen."""
    _, rated = made()
    model = Ratings(n_factors=6, n_items=10).fit(rated[:-HELD_OUT])
    return model, rated[-HELD_OUT:], None


def scores(answer: Answer, X_test: pd.DataFrame, y_test: None) -> Scores:
    """How many of ten they would like, beside the ten of the best means that they have not rated.

    What they would rate is known, for it is made; and how far the predicted ratings are from that.
    """
    truth, rated = made()
    truth, means = truth[-HELD_OUT:], rated[:-HELD_OUT].mean()
    popular = [means[row.isna()].nlargest(10) for _, row in X_test.iterrows()]
    answered = answer(X_test)
    shares, errors = [], []
    for names, stars in (
        (answered["prediction"], answered["score"]),
        ([each.index for each in popular], popular),
    ):
        would = np.array(
            [row[list(own)] for (_, row), own in zip(truth.iterrows(), names, strict=True)]
        )
        shares.append(float((would >= LIKED).mean()))
        errors.append(float(np.sqrt(((would - np.array(stars)) ** 2).mean())))
    return {"liked, of ten": (shares[0], shares[1]), "rating error": (errors[0], errors[1])}
