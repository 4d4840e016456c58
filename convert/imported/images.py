"""Pictures: `--image`, what becomes of their pixels, and those that a model is tried with.

Of a folder, or drawn.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from onnxlet.convert.directory.background import png_text
from onnxlet.convert.graph.nodes import NodeWriter
from onnxlet.convert.imported.inputs import forget_sizes
from onnxlet.convert.imported.onnx_file import inputs_of
from onnxlet.convert.imported.settings import Settings, number, numbers, one_of, refuse
from onnxlet.convert.reference.image_columns import ENDINGS, Outside, file_inside
from onnxlet.function.arrays import Array
from onnxlet.function.errors import InvalidRows, WrongUse
from onnxlet.function.inputs.image_feed import ImageFeed
from onnxlet.function.inputs.images import RESIZES

HEAD = re.compile(r"(.+)=([1-9][0-9]{0,4})x([1-9][0-9]{0,4})")
MODES = {"RGB": 3, "BGR": 3, "L": 1}  # and their channels
LAYOUTS = ("NCHW", "NHWC")
FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)
PREFIX = "onnxlet.image."
HINT = (
    "--image INPUT=HEIGHTxWIDTH,mode=RGB,scale=1/255,mean=0.485:0.456:0.406,"
    "std=0.229:0.224:0.225,layout=NCHW,resize=bilinear; all behind HEIGHTxWIDTH may be left out."
)


class Image(NamedTuple):
    """What `--image` says of an input."""

    input: str  # the graph's
    height: int  # that pictures are resized to, in pixels
    width: int  # the same
    mode: str  # "RGB", "BGR" or "L"
    # `scale`, `mean` and `std`, as far as they are given: (pixel * scale - mean) / std.
    change: Mapping[str, Any]
    layout: str | None  # of the tensor, where it is given
    resize: str  # one of Pillow's filters

    @property
    def channels(self) -> int:
        """Numbers of a pixel."""
        return MODES[self.mode]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.height, self.width

    def sizes(self, layout: str) -> tuple[int, ...]:
        """Of one picture's tensor."""
        if layout == "NCHW":
            return (self.channels, self.height, self.width)
        return (self.height, self.width, self.channels)


def parse(texts: Sequence[str]) -> dict[str, Image]:
    """Read `--image`, by input; WrongUse has all that is wrong."""
    images: dict[str, Image] = {}
    faults: list[str] = []
    for text in texts:
        head, _, rest = text.partition(",")
        found = HEAD.fullmatch(head.strip())
        if found is None:
            faults.append(f"expected INPUT=HEIGHTxWIDTH, got '{head}'")
            continue
        name = found[1]
        image, wrong = _image(name, int(found[2]), int(found[3]), rest)
        faults += [f"'{name}': {fault}" for fault in wrong]
        if name in images:
            faults.append(f"'{name}' is there twice")
        images[name] = image
    refuse("--image", faults, HINT)
    return images


def _image(name: str, height: int, width: int, rest: str) -> tuple[Image, list[str]]:
    readers = {
        "mode": one_of(*MODES),
        "scale": number(-1e6, 1e6),
        "mean": numbers,
        "std": numbers,
        "layout": one_of(*LAYOUTS),
        "resize": one_of(*RESIZES),
    }
    settings = Settings(rest, readers) if rest else Settings("mode=RGB", readers)
    faults = [f"expected key=value, got '{part}'" for part in settings.bare] + settings.faults
    mode = settings.get("mode", "RGB")
    change = {key: settings.get(key) for key in ("scale", "mean", "std")}
    change = {key: value for key, value in change.items() if value is not None}
    for key in ("mean", "std"):
        if len(change.get(key, [0])) not in (1, MODES[mode]):
            faults.append(f"{key}: expected {MODES[mode]} numbers, or one, got {len(change[key])}")
    if 0 in change.get("std", []):
        faults.append("std: expected numbers other than 0")
    if change.get("scale") == 0:
        faults.append("scale: expected a number other than 0, which makes all pictures alike")
    layout, resize = settings.get("layout"), settings.get("resize", "bilinear")
    return Image(name, height, width, mode, change, layout, resize), faults


# beside the graph


def fix_sizes(proto: onnx.ModelProto, images: Mapping[str, Image]) -> dict[str, str]:
    """Check the images against a graph's inputs, and fix in place the sizes that these leave free.

    The layout of each input's tensor is returned. WrongUse has all that does not fit.
    """
    inputs = inputs_of(proto)
    layouts: dict[str, str] = {}
    faults: list[str] = []
    for name, image in images.items():
        if name not in inputs:
            faults.append(f"'{name}': expected the name of an input: {', '.join(inputs)}")
            continue
        faults += [f"'{name}': {fault}" for fault in _unfit(inputs[name], image)]
        dims = inputs[name].type.tensor_type.shape.dim
        fitting = _fitting([dim.dim_value or None for dim in dims], image)
        if len(fitting) > 1 and image.channels > 1:
            faults.append(f"'{name}': layout: expected NCHW or NHWC, since either fits, got none")
        elif fitting:
            layouts[name], (sizes, _) = next(iter(fitting.items()))
            for dim, size in zip(dims[len(dims) - len(sizes) :], sizes, strict=True):
                dim.dim_value = size
    refuse("--image", faults, HINT)
    if images:
        forget_sizes(proto)
    return layouts


def _unfit(info: Any, image: Image) -> Iterator[str]:
    tensor = info.type.tensor_type
    if tensor.elem_type not in (*FLOATS, TensorProto.UINT8):
        got = TensorProto.DataType.Name(tensor.elem_type).lower()
        yield f"expected an input of floats or of uint8, got one of {got}"
    if tensor.elem_type == TensorProto.UINT8 and image.change:
        yield f"{', '.join(image.change)}: expected none, since the graph takes bytes (uint8)"
    dims = [dim.dim_value or None for dim in tensor.shape.dim]
    if not _fitting(dims, image):
        shown = ", ".join("?" if size is None else str(size) for size in dims)
        wanted = [image.layout] if image.layout else LAYOUTS
        forms = " or ".join(f"(rows, {', '.join(map(str, image.sizes(w)))})" for w in wanted)
        yield f"expected an input of the shape {forms}, got ({shown})"


def _fitting(dims: Sequence[int | None], image: Image) -> dict[str, tuple[tuple[int, ...], bool]]:
    """By layout that an input may have, the sizes that its last dimensions have to have.

    With each is whether there is a dimension for the rows. A tensor may also be flat, or be
    without channels where there is one; its own dimensions are then those that are given back.
    """
    found = {}
    for layout in [image.layout] if image.layout else LAYOUTS:
        whole = image.sizes(layout)
        forms = [(whole, True), ((prod(whole),), True), (whole, False)]
        if image.channels == 1:
            forms.insert(1, ((image.height, image.width), True))
        for sizes, rows in forms:
            own = dims[1:] if rows else dims
            known = rows or None not in dims  # a free first dimension is that of the rows
            if (
                known
                and len(own) == len(sizes)
                and all(dim in (None, size) for dim, size in zip(own, sizes, strict=True))
            ):
                found[layout] = (sizes, rows)
                break
    return found


def is_by_row(proto: onnx.ModelProto, image: Image) -> bool:
    """Whether the input has a dimension for the rows; else it takes one picture."""
    info = inputs_of(proto)[image.input]
    dims = [dim.dim_value or None for dim in info.type.tensor_type.shape.dim]
    return all(rows for _, rows in _fitting(dims, image).values())


def attach(
    proto: onnx.ModelProto, images: Mapping[str, Image], layouts: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """Have a graph take pictures' tensors as the function makes them.

    It is changed in place, where its own inputs are of another form. A manifest's graph input is
    returned for each, by the name that it has in the graph.
    """
    entries = {}
    for name, image in images.items():
        info = inputs_of(proto)[name]
        element = info.type.tensor_type.elem_type
        bytes_in = element == TensorProto.UINT8
        inside = _changed(proto, info, image.sizes(layouts[name]))
        settings = {"height": image.height, "width": image.width, "mode": image.mode}
        settings |= {"resize": image.resize, "layout": layouts[name], **image.change}
        dtype = "uint8" if bytes_in else "float32"
        entries[inside] = {"name": inside, "dtype": dtype, "columns": [name], "image": settings}
    return entries


def _changed(proto: onnx.ModelProto, info: Any, sizes: Sequence[int]) -> str:
    """Give the graph an input of (rows, *sizes) and of float32 or uint8; returns its name."""
    tensor, name = info.type.tensor_type, str(info.name)
    own = [dim.dim_value for dim in tensor.shape.dim]
    element = tensor.elem_type
    served = element if element == TensorProto.UINT8 else TensorProto.FLOAT
    if served == element and own[1:] == list(sizes):
        return name
    batch = tensor.shape.dim[0].dim_param or tensor.shape.dim[0].dim_value or "batch"
    bare = own == list(sizes)
    outer = PREFIX + name
    replaced = helper.make_tensor_value_info(outer, served, [1 if bare else batch, *sizes])
    sizes_inside = np.array(own if bare else [-1, *own[1:]], np.int64)
    proto.graph.initializer.append(numpy_helper.from_array(sizes_inside, f"{outer}.shape"))
    nodes, shaped = NodeWriter(), f"{outer}.shaped"
    nodes.write("Reshape", [outer, f"{outer}.shape"], [shaped], name=shaped)
    nodes.write("Cast", [shaped], [name], name=f"{outer}.cast", to=element)
    everything = [*nodes.nodes, *proto.graph.node]
    del proto.graph.node[:]
    proto.graph.node.extend(everything)
    info.CopyFrom(replaced)
    return outer


MOST = 10_000
DRAWN = ((64, 48), (40, 60), (96, 96))  # width and height of those that are drawn
LIST = ".txt"
SAMPLE_HINT = (
    "Give a folder of pictures, which count in the order of their names, or a .txt file with the "
    "path of one in each line."
)


def tensor_of(image: Mapping[str, Any], texts: Sequence[str]) -> Array:
    """What the graph is fed with for pictures in base64, rows first.

    The image is the manifest's graph input. InvalidRows: some are no pictures.
    """
    block = np.array(texts, dtype=object).reshape(-1, 1)
    return ImageFeed(image, (0, 0)).gather([block])


def is_pictures(sample: Path) -> bool:
    """Whether a sample is a folder, or a list of paths."""
    return sample.is_dir() or sample.suffix.lower() == LIST


def files_of(sample: Path) -> list[Path]:
    """The pictures of a folder by name, or those that a list names, relative to itself.

    WrongUse: there are none, too many, or some that are not there or lie elsewhere.
    """
    folder = sample if sample.is_dir() else sample.parent
    if sample.is_dir():
        files = sorted(each for each in sample.iterdir() if each.suffix.lower() in ENDINGS)
    elif not sample.is_file():
        raise WrongUse(f"--sample: there is no file '{sample}'", SAMPLE_HINT)
    else:
        lines = sample.read_text(encoding="utf-8-sig", errors="replace").splitlines()
        files = [sample.parent / line.strip() for line in lines if line.strip()]
    try:
        gone = [f"'{each}'" for each in files if file_inside(str(each.absolute()), folder) is None]
    except Outside as error:  # by a link, or by a list that came with it
        raise WrongUse(f"--sample: {error}", "Copy it there.") from None
    if gone:
        raise WrongUse(f"--sample: there is no file {', '.join(gone[:8])}", SAMPLE_HINT)
    if not 0 < len(files) <= MOST:
        raise WrongUse(
            f"--sample: '{sample}': expected 1 to {MOST} pictures, got {len(files)}", SAMPLE_HINT
        )
    return files


def read_pictures(sample: Path, image: Mapping[str, Any]) -> tuple[list[str], Array]:
    """The pictures of a sample in base64, and what the graph is fed with.

    WrongUse names all files that are no pictures.
    """
    files = files_of(sample)
    if empty := [f"'{each.name}'" for each in files if not each.stat().st_size]:
        raise WrongUse(
            f"--sample: expected pictures, got empty files: {', '.join(empty)}", SAMPLE_HINT
        )
    texts = [base64.b64encode(each.read_bytes()).decode() for each in files]
    try:
        return texts, tensor_of(image, texts)
    except InvalidRows as error:
        named = [f"'{files[each.row or 0].name}': {each.detail}" for each in error.problems]
        raise WrongUse(f"--sample: {'; '.join(named)}", SAMPLE_HINT) from error


def drawn(image: Mapping[str, Any]) -> tuple[list[str], Array]:
    """A few pictures of no meaning, of other sizes than the graph's, likewise."""
    texts = [_png(*size, seed) for seed, size in enumerate(DRAWN)]
    return texts, tensor_of(image, texts)


def _png(width: int, height: int, seed: int) -> str:
    """A ramp of colors with a few rectangles on it."""
    random = np.random.default_rng(seed)
    across, down = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    pixels = np.stack([across, down, (across + down) / 2], axis=-1).astype(np.uint8)
    for _ in range(4):
        left, top = random.integers(0, width - 8), random.integers(0, height - 8)
        right, bottom = left + random.integers(4, width), top + random.integers(4, height)
        pixels[top:bottom, left:right] = random.integers(0, 256, 3)
    return png_text(pixels)
