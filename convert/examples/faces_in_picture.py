"""Where in a picture are faces? A window slides over it at eight sizes, inside one ONNX graph.

A window is described by the directions of its edges in 6 by 6 cells (after N. Dalal, B. Triggs,
"Histograms of Oriented Gradients for Human Detection", 2005), and a logistic regression learns
which windows show a face. Both are convolutions, so that the graph judges all windows at once.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from sklearn.linear_model import LogisticRegression

from onnxlet.convert.examples.parts import Answer, Scores, pictures, windows
from onnxlet.convert.examples.parts.pictures import Scene


def model(folder: Path) -> dict[str, Any]:
    """What `import_onnx` takes: the graph with what was learned, and some pictures."""
    onnx.save(windows.graph(*learned()), folder / "faces.onnx")
    return {
        "path": folder / "faces.onnx",
        "sample": pictures.sample(folder, pictures.scenes(6, seed=2, held_out=True)),
        "images": [f"picture={pictures.HEIGHT}x{pictures.WIDTH},mode=L,scale=1/255"],
        "boxes": "boxes,logits,activation=sigmoid,score=0.9,overlap=0.1,labels=face",
    }


def learned() -> tuple[np.ndarray, float]:
    """A window's weights, and the intercept, by two rounds.

    The second adds windows that the first took for faces, of other scenes.
    """
    session = onnxruntime.InferenceSession(windows.features().SerializeToString())
    rounds = [pictures.scenes(40, seed, held_out=False) for seed in range(2)]
    X, y = map(np.concatenate, zip(*(few(session, scene) for scene in rounds[0]), strict=True))
    judge = LogisticRegression(C=3, class_weight="balanced", max_iter=500).fit(X, y)
    hard = [few(session, scene, judge) for scene in rounds[1]]
    X, y = map(np.concatenate, zip((X, y), *hard, strict=True))
    judge = LogisticRegression(C=3, class_weight="balanced", max_iter=500).fit(X, y)
    return judge.coef_[0], float(judge.intercept_[0])


def few(session: Any, scene: Scene, judge: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """The windows of a scene that show a face, and 150 that don't: any, or those most like one."""
    X = windows.described(session, scene.image)
    shares = pictures.in_common(windows.boxes(), scene.boxes).max(axis=1)
    like = np.random.default_rng(0).random(len(X)) if judge is None else judge.decision_function(X)
    others = np.argsort(np.where(shares < 0.3, -like, np.inf))[:150]
    chosen = np.concatenate([np.flatnonzero(shares > 0.7), others])
    return X[chosen], shares[chosen] > 0.7


def scores(answer: Answer) -> Scores:
    """Of scenes with held-out faces, beside three windows at random."""
    return pictures.judged(pictures.scenes(40, seed=3, held_out=True), answer, "picture")
