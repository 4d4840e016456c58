"""Pictures before a graph, and boxes behind it: what is judged, and what is served.

A framework's own answers are those of its graph. So a graph is judged without the nodes that
choose boxes, and where a sample holds the framework's tensors also without the pictures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import onnx

from onnxlet.convert.imported import images as pictures_of
from onnxlet.convert.imported import settings as options
from onnxlet.convert.imported.images import Image, is_pictures
from onnxlet.convert.imported.inputs import free_batches, input_tensors
from onnxlet.convert.imported.onnx_file import open_session
from onnxlet.convert.imported.outputs import Runs, Served, serving_part
from onnxlet.convert.imported.sample import instances, made_rows, read_arrays
from onnxlet.convert.imported.served_graph import ServedGraph, Trial, model_of, served_graph
from onnxlet.convert.imported.settings import Boxes
from onnxlet.convert.imported.suppression import FOUND, check_opset, is_by_row, suppress
from onnxlet.convert.imported.trial import check_it_ends
from onnxlet.convert.progress import Report
from onnxlet.function.errors import WrongUse
from onnxlet.function.models.model import Model

NOT_COMPARED = (
    "--sample, --expected: a graph that answers as many boxes as it finds has no answers of one "
    "shape that could be compared"
)


class Vision(NamedTuple):
    """What `--image` and `--boxes` say."""

    images: Mapping[str, Image]  # by input of the graph
    layouts: Mapping[str, str]  # of their tensors
    boxes: Boxes | None  # None where there are none

    @property
    def image(self) -> Image:
        """The only one."""
        return next(iter(self.images.values()))


def read(proto: onnx.ModelProto, images: Sequence[str], boxes: str | None) -> Vision:
    """Read both options, and check them against the graph, whose free sizes they fix.

    WrongUse has all that is wrong with one of them. Refusal: the operators are too old for boxes.
    """
    known = pictures_of.parse(images)
    behind = None if boxes is None else options.parse(boxes)
    if behind is not None:
        if len(known) != 1:
            raise WrongUse(
                f"--boxes: expected one input that takes pictures, got {len(known)}: boxes are in "
                "the pixels of the picture that was sent",
                "Add --image INPUT=HEIGHTxWIDTH.",
            )
        options.check_outputs(behind, [output.name for output in proto.graph.output])
        check_opset(proto)
    return Vision(known, pictures_of.fix_sizes(proto, known), behind)


def judged_and_served(
    proto: onnx.ModelProto, vision: Vision, trial: Trial, expected: bool
) -> tuple[ServedGraph, ServedGraph]:
    """Try a graph as it is compared with the framework, and make of it what is served.

    Both are the same where nothing is before or behind it.
    `expected`: the framework's answers to the sample's rows are there. WrongUse: the sample is not
    of a form that can be judged. Refusal: the graph can't be served.
    """
    if not vision.images:
        graph = served_graph(proto, trial)
        return graph, graph
    bare = not all(pictures_of.is_by_row(proto, image) for image in vision.images.values())
    tensors = trial.sample is not None and _holds_tensors(trial.sample, vision)
    if bare and tensors:
        raise WrongUse(
            "--sample: expected pictures, since the graph takes one without a dimension for rows",
            "Give a folder of pictures.",
        )
    shapes: dict[str, Sequence[int]] = {}
    if vision.boxes is not None:
        shapes = _shapes(proto, vision, vision.boxes.outputs, trial.longest)
        _keep_outputs(proto, vision.boxes, trial.report)
        if not is_by_row(vision.boxes, shapes):
            if tensors or expected:
                raise WrongUse(NOT_COMPARED, "Give pictures: --sample FOLDER.")
            graph = _of_one_picture(proto, vision, vision.boxes, shapes, trial)
            return graph, graph
    if tensors:
        judged = served_graph(proto, trial, bare)
    else:
        judged = served_graph(proto, _with_pictures(proto, vision, trial), bare)
        if vision.boxes is None:
            return judged, judged
    return judged, _served(judged, vision, shapes, trial.longest, tensors)


def _with_pictures(proto: onnx.ModelProto, vision: Vision, trial: Trial) -> Trial:
    """Have a graph take pictures, and a trial send them."""
    return trial._replace(images=pictures_of.attach(proto, vision.images, vision.layouts))


def _holds_tensors(sample: Path, vision: Vision) -> bool:
    """Whether a sample has the framework's tensors in the pictures' stead."""
    if is_pictures(sample):
        return False
    arrays = read_arrays(sample, "--sample")
    kinds = {name: arrays[name].dtype.kind for name in vision.images if name in arrays}
    numbers = [name for name, kind in kinds.items() if kind != "U"]
    if numbers and len(numbers) < len(kinds):
        raise WrongUse(
            f"--sample: '{sample}': expected tensors or texts of base64 for all pictures, got "
            f"tensors for {', '.join(numbers)} only"
        )
    return bool(numbers)


def _shapes(
    proto: onnx.ModelProto, vision: Vision, names: Sequence[str], longest: Mapping[str, int]
) -> dict[str, Sequence[int]]:
    """The shapes of outputs for one made-up row."""
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    entries = pictures_of.attach(copy, vision.images, vision.layouts)
    freed = free_batches(copy)
    content = copy.SerializeToString(deterministic=True)
    longest = check_it_ends(content, None, longest)
    session = open_session(content)
    tensors = input_tensors(session, longest, entries)
    arrays = Runs(session, tensors, made_rows(tensors), freed).answers(names, 1)
    return {name: array.shape for name, array in zip(names, arrays, strict=True)}


def _keep_outputs(proto: onnx.ModelProto, boxes: Boxes, report: Report) -> None:
    """Leave only the boxes' outputs, in the option's order."""
    known = {output.name: output for output in proto.graph.output}
    for name in known:
        if name not in boxes.outputs:
            report(f"output '{name}' is left out: boxes are the answer")
    kept = [known[name] for name in boxes.outputs]
    del proto.graph.output[:]
    proto.graph.output.extend(kept)


def _of_one_picture(
    proto: onnx.ModelProto,
    vision: Vision,
    boxes: Boxes,
    shapes: Mapping[str, Sequence[int]],
    trial: Trial,
) -> ServedGraph:
    """A graph whose outputs have no dimension for rows, and as many boxes as it finds."""
    trial = _with_pictures(proto, vision, trial)
    suppress(proto, boxes, shapes, *vision.image.size)
    return _with_boxes(served_graph(proto, trial, one_by_one=True), boxes, vision.image)


def _served(
    judged: ServedGraph,
    vision: Vision,
    shapes: Mapping[str, Sequence[int]],
    longest: Mapping[str, int],
    tensors: bool,
) -> ServedGraph:
    """The graph with what is before and behind it."""
    proto = onnx.ModelProto.FromString(judged.content)
    served = judged
    if tensors:
        entries = pictures_of.attach(proto, vision.images, vision.layouts)
        content = proto.SerializeToString(deterministic=True)
        inputs = input_tensors(open_session(content), longest, entries)
        rows = made_rows(inputs)
        model = model_of(content, inputs, judged.served, rows, judged.one_by_one)
        cells = instances(rows, inputs)
        served = served._replace(
            content=content, model=model, tensors=inputs, rows=cells, made=True
        )
    if vision.boxes is None:
        return served
    suppress(proto, vision.boxes, shapes, *vision.image.size)
    content = proto.SerializeToString(deterministic=True)
    return _with_boxes(served._replace(content=content), vision.boxes, vision.image)


def _with_boxes(graph: ServedGraph, boxes: Boxes, image: Image) -> ServedGraph:
    """The graph, which chooses boxes already, with the step that makes objects of them."""
    step = {"step": "boxes", "image": image.input, "labels": list(boxes.labels)}
    served = [Served("prediction", FOUND, "boxes", (-1,))]
    private = graph.model.manifest["graph"]["inputs"]
    public = graph.model.manifest["signature"]["inputs"]
    manifest = serving_part(served, public, private, graph.one_by_one, {"prediction": step})
    model = Model("imported", 1, manifest, graph.content)
    return graph._replace(model=model, served=served, absolute=frozenset())
