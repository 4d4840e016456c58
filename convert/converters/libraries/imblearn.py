"""imbalanced-learn's estimators: samplers change the rows of a fit, and are gone when it answers.

Sources: `imblearn/pipeline.py` (`_iter` passes samplers over), `imblearn/ensemble/`: forests,
bagging and AdaBoost as in scikit-learn, whose `predict` they inherit, over samples that are
balanced. Bagging wraps every sub-estimator in a pipeline with its sampler.
"""

from __future__ import annotations

from copy import copy
from typing import Any

from imblearn import ensemble
from imblearn.pipeline import Pipeline

from onnxlet.convert.converters.composition.ensembles import bagged_classifier
from onnxlet.convert.converters.composition.pipelines import pipeline
from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.converters.trees import boosting, forests
from onnxlet.convert.graph.converter import Graph, Outputs, Table


def bagged(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Bagging over what stands behind each sampler."""
    plain = copy(fitted)
    plain.estimators_ = [part.steps[-1][1] for part in fitted.estimators_]
    return bagged_classifier(graph, plain, table)


CONVERTERS: Converters = {
    Pipeline: exact(pipeline),
    ensemble.BalancedBaggingClassifier: exact(bagged),
    ensemble.BalancedRandomForestClassifier: exact(forests.trees),
    ensemble.EasyEnsembleClassifier: bagged,
    ensemble.RUSBoostClassifier: boosting.votes,
}
