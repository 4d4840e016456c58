"""Which works of art are like this one? The nearest by the words of title and material, and year.

The same serves products: a name, a description and a price instead of a title, a material and a
year. Real products that may be shipped were not found; works of the Tate's collection were.
"""

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler

from onnxlet.convert.examples.parts import FOLDER, Answer, Scores

DATA = FOLDER / "tate_text.csv.gz"
AFTER = ": "  # the artist in the name of a work
EACH = 5  # works for each


def works() -> pd.DataFrame:
    """Title, medium and year, by "artist: title (year)"; in an order of chance."""
    table = pd.read_csv(DATA).drop_duplicates(["artist", "title", "year"])
    table = table.astype({"year": int}).sample(frac=1, random_state=0)
    names = table["artist"] + AFTER + table["title"] + " (" + table["year"].astype(str) + ")"
    return table.set_index(names)[["title", "medium", "year"]]


def build() -> tuple[Pipeline, pd.DataFrame, None, pd.DataFrame]:
    """Fit the model; return it with X_test, no y_test, and X_train, whose index has the names."""
    table = works()
    X_test, X_train = table[:600], table[600:]
    columns = make_column_transformer(
        (TfidfVectorizer(min_df=2, stop_words="english"), "title"),
        (TfidfVectorizer(), "medium"),
        (MinMaxScaler(), ["year"]),
    )
    model = make_pipeline(
        columns,
        TruncatedSVD(60, algorithm="arpack", random_state=0),
        NearestNeighbors(n_neighbors=EACH),
    )
    return model.fit(X_train), X_test, None, X_train


def scores(answer: Answer, X_test: pd.DataFrame, y_test: None) -> Scores:
    """How many of the five are the same artist's, whom the model does not see.

    Beside any works; and beside any of the same material, for that by itself says much.
    """
    table = works()[len(X_test) :]
    artists = table.index.str.split(AFTER).str[0].to_numpy()
    asked = X_test.index.str.split(AFTER).str[0].to_numpy()
    answered = [[name.split(AFTER)[0] for name in row] for row in answer(X_test)["prediction"]]
    own = (np.array(answered) == asked[:, None]).mean()
    any_work = (artists == asked[:, None]).mean()
    alike = table["medium"].to_numpy() == X_test["medium"].to_numpy()[:, None]
    same = np.where(alike.any(axis=1, keepdims=True), alike, True)
    of_medium = ((artists == asked[:, None]) & same).sum(axis=1) / same.sum(axis=1)
    return {
        "the same artist": (own, any_work),
        "the same artist, beside one material": (own, of_medium.mean()),
    }
