"""Does a sentence of a film review praise or blame? Words and pairs of words, weighted."""

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline

from onnxlet.convert.examples.parts import FOLDER

DATA = FOLDER / "movie_snippets.csv.gz"


def build() -> tuple[Pipeline, pd.Series, pd.Series, pd.Series]:
    """Fit the model; return it with X_test, y_test and X_train."""
    sentences = pd.read_csv(DATA)
    # The mean of twenty people's opinions, from -4 to 4.
    labels = pd.Series(np.where(sentences["score"] > 0, "positive", "negative"), dtype=object)
    X_train, X_test, y_train, y_test = train_test_split(
        sentences["text"], labels, test_size=0.25, random_state=0, stratify=labels
    )
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, max_features=20_000, sublinear_tf=True)
    model = make_pipeline(words, LogisticRegression(C=3, max_iter=1000)).fit(X_train, y_train)
    return model, X_test, y_test, X_train
