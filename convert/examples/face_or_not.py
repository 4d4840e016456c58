"""Does a picture show a face? Principal components, and a support vector machine."""

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from onnxlet import Images
from onnxlet.convert.examples.parts.pictures import as_text, faces


def build() -> tuple[Pipeline, pd.DataFrame, np.ndarray, pd.DataFrame]:
    """Fit the model; return it with X_test, y_test and X_train."""
    pictures = np.concatenate(faces())
    X = pd.DataFrame({"picture": [as_text(picture) for picture in pictures]})
    y = np.repeat(["face", "something else"], 100)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.4, random_state=0, stratify=y
    )
    model = make_pipeline(
        Images(25, 25, "L"),
        PCA(30, svd_solver="covariance_eigh"),
        StandardScaler(),
        SVC(),
    )
    return model.fit(X_train, y_train), X_test, y_test, X_train
