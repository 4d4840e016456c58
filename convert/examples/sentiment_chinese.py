"""Is a Chinese review good or bad? Characters and pairs of them: Chinese has no spaces."""

import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline

from onnxlet.convert.examples.parts import FOLDER

DATA = FOLDER / "zh_reviews.csv.gz"


def build() -> tuple[Pipeline, pd.Series, pd.Series, pd.Series]:
    """Fit the model; return it with X_test, y_test and X_train."""
    reviews = pd.read_csv(DATA)
    X_train, X_test, y_train, y_test = train_test_split(
        reviews["text"],
        reviews["label"],  # "pos" or "neg"
        test_size=0.25,
        random_state=0,
        stratify=reviews["label"],
    )
    characters = TfidfVectorizer(
        analyzer="char", ngram_range=(1, 2), min_df=2, max_features=20_000, sublinear_tf=True
    )
    model = make_pipeline(characters, LogisticRegression(C=10, max_iter=1000))
    return model.fit(X_train, y_train), X_test, y_test, X_train
