"""`make old-models`: models that older scikit-learns fitted, and what is served of them."""
