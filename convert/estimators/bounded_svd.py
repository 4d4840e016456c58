"""BoundedSVD: scikit-learn's TruncatedSVD where there may be fewer columns than components."""

from __future__ import annotations

from typing import Any

from sklearn.decomposition import TruncatedSVD

from onnxlet.function.arrays import Array


class BoundedSVD(TruncatedSVD):  # type: ignore[misc] # scikit-learn has no types
    """TruncatedSVD of as many components as there are columns, at most `n_components`.

    How many terms a text has is known only once it is cut, in each fold anew.
    """

    n_components: int

    def fit_transform(self, X: Any, y: Any = None) -> Array:
        """Learn the components, and return X in them, of shape (rows, components)."""
        wanted = self.n_components
        self.n_components = min(wanted, X.shape[1])
        try:
            made: Array = super().fit_transform(X, y)
        finally:
            self.n_components = wanted
        return made
