"""Multi-layer perceptrons, and the hidden units of a restricted Boltzmann machine.

Sources: `sklearn/neural_network/_multilayer_perceptron.py` (`_forward_pass_fast`), `_rbm.py`.
Upstream: skl2onnx's multilabel models do not load in float64, and there is no BernoulliRBM.
"""

from __future__ import annotations

from typing import Any

from sklearn.neural_network import BernoulliRBM, MLPClassifier, MLPRegressor

from onnxlet.convert.converters.registration import Converters
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.convert.graph.responses import two_sided

OPERATORS = {"tanh": "Tanh", "relu": "Relu", "exp": "Exp"}


def forward(graph: Graph, fitted: Any, table: Table) -> Tensor:
    """The last layer's activation."""
    x = graph.matrix(table)
    last = len(fitted.coefs_) - 1
    for layer, (weights, bias) in enumerate(zip(fitted.coefs_, fitted.intercepts_, strict=True)):
        x = x @ weights + bias.reshape(1, -1)
        x = activated(x, fitted.activation if layer < last else fitted.out_activation_)
    return x


def activated(x: Tensor, name: str) -> Tensor:
    """One of `sklearn/neural_network/_base.py`'s activations."""
    if name == "identity":
        return x
    if name == "softmax":
        return x.softmax()
    if name == "logistic":
        return x.sigmoid()
    if name not in OPERATORS:
        raise Unsupported(f"the activation {name} has no conversion")
    return x.unary(OPERATORS[name])


def classifier(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The class above one half, or the largest; with several labels, each above one half."""
    share = forward(graph, fitted, table)
    kind = fitted._label_binarizer.y_type_
    above = (share > 0.5).cast("int64")
    if kind.startswith("multilabel"):
        return {"predict": above, "predict_proba": share}
    if kind == "multiclass":
        return {"class_index": share.argmax(), "predict_proba": share}
    if len(fitted.classes_) == 1:
        above = above * 0
    return {"class_index": above, "predict_proba": two_sided(share)}


def regressor(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """`predict` is the last layer."""
    return {"predict": forward(graph, fitted, table)}


def hidden_units(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """BernoulliRBM: the probability that each hidden unit is on."""
    score = graph.matrix(table) @ fitted.components_.T + fitted.intercept_hidden_.reshape(1, -1)
    return {"transform": score.sigmoid()}


CONVERTERS: Converters = {
    MLPClassifier: classifier,
    MLPRegressor: regressor,
    BernoulliRBM: hidden_units,
}
