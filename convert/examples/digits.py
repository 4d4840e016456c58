"""Which digit was drawn? Principal components of the pixels, and a small neural network.

Who draws on the page puts a digit anywhere, larger or smaller than MNIST's, which are all centred
and of one size. So the model learns from moved, turned and resized copies, too.
"""

import numpy as np
import pandas as pd
from scipy.ndimage import affine_transform
from sklearn.decomposition import PCA
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from onnxlet import Images
from onnxlet.convert.examples.parts import FOLDER, Answer, Scores
from onnxlet.convert.examples.parts.pictures import as_text

DATA = FOLDER / "digits.npz"
HELD_OUT = 600  # of 3,000
COPIES = 8  # of each picture, moved in another way


def moved(pictures: np.ndarray, seed: int) -> np.ndarray:
    """The pictures turned by up to 11 degrees, 0.7 to 1.3 times as large, 3 pixels off."""
    random, made, center = np.random.default_rng(seed), np.empty_like(pictures), np.full(2, 13.5)
    for row, picture in enumerate(pictures):
        turn, size = random.uniform(-0.2, 0.2), random.uniform(0.75, 1.4)
        along, across = np.cos(turn) * size, np.sin(turn) * size
        matrix = np.array([[along, -across], [across, along]])
        start = center - matrix @ (center + random.uniform(-3, 3, 2))
        made[row] = affine_transform(picture, matrix, start, order=1)
    return made


def framed(pictures: np.ndarray) -> pd.DataFrame:
    """A column of PNG files in base64, white on black."""
    return pd.DataFrame({"digit": [as_text(picture) for picture in pictures]})


def build() -> tuple[Pipeline, pd.DataFrame, np.ndarray, pd.DataFrame]:
    """Fit the model; return it with X_test, y_test and X_train."""
    with np.load(DATA) as file:
        pictures, labels = file["images"], file["labels"]
    known = pictures[HELD_OUT:]
    copies = [known, *(moved(known, seed) for seed in range(COPIES))]
    model = make_pipeline(
        Images(28, 28, "L"),
        MaxAbsScaler(),
        PCA(60, svd_solver="covariance_eigh"),
        MLPClassifier((150,), alpha=0.1, tol=0.01, n_iter_no_change=3, random_state=0),
    )
    X_train = framed(np.concatenate(copies))
    model.fit(X_train, np.tile(labels[HELD_OUT:], COPIES + 1))
    return model, framed(pictures[:HELD_OUT]), labels[:HELD_OUT], X_train[: len(known)]


def scores(answer: Answer, X_test: pd.DataFrame, y_test: np.ndarray) -> Scores:
    """Of the same digits, moved as those that people draw; beside the most frequent one."""
    with np.load(DATA) as file:
        off_center = framed(moved(file["images"][:HELD_OUT], seed=99))
    got = np.array(answer(off_center)["prediction"])
    frequent = np.max(np.bincount(y_test)) / len(y_test)
    return {"accuracy off the center": (np.mean(got == y_test), float(frequent))}
