"""A user's project: its own `convert.py`, `function/` and `edge/`, and a package with a transformer.

Whatever imports one of the three in place of ours ends with what it says here.
"""

from __future__ import annotations

from pathlib import Path

THEIRS = "raise SystemExit('a module of the user was run')\n"
STEPS = '''
"""A step of this shop's own, and its converter."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from onnxlet import converts


class Ratio(TransformerMixin, BaseEstimator):
    """The columns, and the first divided by the second."""

    def fit(self, X, y=None):
        self.floor_ = 1e-3
        return self

    def transform(self, X):
        X = np.asarray(X)
        return np.column_stack([X, X[:, 0] / np.maximum(X[:, 1], self.floor_)])


@converts(Ratio)
def ratio(graph, fitted, table):
    x = graph.matrix(table)
    divided = x.take([0]) / x.take([1]).maximum(fitted.floor_)
    return {"transform": graph.concat([x, divided])}
'''
MODEL = '''
"""What this shop sells for, by area and age."""

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from shop.steps import Ratio

random = np.random.default_rng(0)
X = pd.DataFrame({"area": random.uniform(20, 200, 90), "age": random.uniform(1, 90, 90)})
y = 3 * X["area"] - X["age"] + X["area"] / X["age"]


def build():
    return make_pipeline(Ratio(), Ridge()).fit(X[:60], y[:60]), X[60:], y[60:], X[:60]
'''
SCRIPT = '''
from pathlib import Path

import numpy as np

from onnxlet import build, verify
from shop import prices

model, X_test, y_test, X_train = prices.build()
built = build(model, X_test, y_test, X_train, name="prices", models="of the script")
assert np.allclose(built.predict(X_test), model.predict(X_test), rtol=1e-5)
assert built.directory == Path("of the script", "prices", "1")
print(verify(built.directory))
'''
TYPED = '''
from onnxlet import build, converts, verify

built = build(None, [[1.0]], name="prices")
reveal_type(built.predict([[1.0]]))
reveal_type(verify("models/prices/1"))
reveal_type(converts)
build(None, [[1.0]])
'''
CELLS = (
    "from onnxlet import build\nfrom shop import prices\n"
    "model, X_test, y_test, X_train = prices.build()",
    "built = build(model, X_test, y_test, name='prices', models='of the notebook')",
    "built",
    "[float(value) for value in built.predict(X_test[:2]) - model.predict(X_test[:2])]",
    "build(model, X_test[:0], name='prices')",
)
RUN_NOTEBOOK = """
import json, sys
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

notebook = new_notebook(cells=[new_code_cell(cell) for cell in json.load(sys.stdin)])
where = {"metadata": {"path": sys.argv[1]}}
NotebookClient(notebook, timeout=120, allow_errors=True, resources=where).execute()
print(json.dumps([cell["outputs"] for cell in notebook["cells"]]))
"""


def write(project: Path) -> None:
    """Write its files below a folder."""
    files = {
        "convert.py": THEIRS,
        "function/__init__.py": THEIRS,
        "edge/__init__.py": THEIRS,
        "shop/__init__.py": "",
        "shop/steps.py": STEPS,
        "shop/prices.py": MODEL,
        "script.py": SCRIPT,
        "typed.py": TYPED,
    }
    for name, content in files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(content)
