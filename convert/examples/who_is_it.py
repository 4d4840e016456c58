"""Who is in a picture? Known ones within a radius, by principal components ("eigenfaces").

A picture that is like none is "unknown". FOLDER names a folder of your own: in it a folder for each
person, called as they are, with pictures that are cut to the face, and perhaps one called `unknown`
with strangers. Without FOLDER faces are drawn: none by name that may be shipped were found.
"""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.metrics import pairwise_distances
from sklearn.neighbors import RadiusNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline

from onnxlet import Images
from onnxlet.convert.examples.parts import Answer, Scores
from onnxlet.convert.examples.parts.drawn_faces import drawn
from onnxlet.convert.examples.parts.pictures import as_text, labelled
from onnxlet.function.errors import WrongUse

UNKNOWN = "unknown"
FEW = "Put four or more pictures of each person into a folder with the person's name."
NAMES = "Ada Ben Cleo Dan Eva Finn Gus Hana Ivo Jade Kai Lea Max Nia Olaf Pia Quin Rosa Sam Tess"
NOBODY = as_text(np.full((48, 48), 128, np.uint8))  # so that there is somebody unknown


def people() -> pd.DataFrame:
    """Pictures, as paths or text, and whose they are."""
    if folder := os.environ.get("FOLDER"):
        named = labelled(Path(folder))
        counts = Counter(name for _, name in named if name != UNKNOWN)
        if len(counts) < 2 or min(counts.values()) < 4:
            got = ", ".join(f"{count} of {name}" for name, count in counts.items()) or "none"
            raise WrongUse(f"FOLDER '{folder}': expected pictures of two people, got {got}", FEW)
    else:
        faces = [*drawn(NAMES.split(), 32, seed=0), *drawn([UNKNOWN] * 80, 1, seed=1)]
        named = [(as_text(face), name) for name, face in faces]
    return pd.DataFrame(named, columns=["picture", "name"])


def build() -> tuple[Pipeline, pd.DataFrame, pd.Series, pd.DataFrame]:
    """Fit the model; return it with X_test, y_test and X_train."""
    everybody = people()
    turn = everybody.groupby("name").cumcount() % 4
    learned, tried, test = (everybody[turn.isin(those)] for those in ([0, 1], [2], [3]))
    learned = pd.concat([learned, pd.DataFrame({"picture": [NOBODY], "name": [UNKNOWN]})])
    parts = min(60, len(learned) // 2)
    eigenfaces = make_pipeline(Images(48, 48, "L"), PCA(parts, whiten=True, random_state=0))
    vectors = eigenfaces.fit_transform(learned[["picture"]])
    tried = tried[tried["name"] != UNKNOWN]
    apart = pairwise_distances(eigenfaces.transform(tried[["picture"]]), vectors)
    same = tried["name"].to_numpy()[:, None] == learned["name"].to_numpy()
    own, others = (np.where(which, apart, np.inf).min(axis=1) for which in (same, ~same))
    # The radius that takes most of one's own, and fewest of somebody else's.
    right = [(own <= limit).mean() + (others > limit).mean() for limit in own]
    radius = own[np.argmax(right)]
    judge = RadiusNeighborsClassifier(radius, weights="distance", outlier_label=UNKNOWN)
    model = make_pipeline(eigenfaces, judge.fit(vectors, learned["name"]))
    return model, test[["picture"]], test["name"], learned[["picture"]]


def scores(answer: Answer, X_test: pd.DataFrame, y_test: pd.Series) -> Scores:
    """Of known people and of strangers by themselves; who is always unknown is no stranger."""
    got, stranger = np.array(answer(X_test)["prediction"]), (y_test == UNKNOWN).to_numpy()
    right = got == y_test.to_numpy()
    shares = {"known people": (right[~stranger].mean(), 0.0)}
    return shares | ({"strangers": (right[stranger].mean(), 1.0)} if stranger.any() else {})
