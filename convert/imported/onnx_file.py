"""An ONNX file as another framework wrote it: read whole, and checked for the runtime."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from onnxlet.convert.errors import Refusal, shortened
from onnxlet.function.errors import WrongUse
from onnxlet.function.runtime.package import opened

LARGEST_BYTES = 2**31 - 1  # of a protobuf message
NO_SUCH_VERSION = 9999  # an opset that every domain the runtime knows refuses
SMALL = 256  # bytes of a constant
STANDARD = "ai.onnx"  # the empty domain, by its name
INSIDE = "Keep its data beside the ONNX file, as the exporter wrote it, and name the file there."


def read_onnx(path: Path) -> tuple[onnx.ModelProto, int]:
    """Read an ONNX file, with external data put inside; and how many tensors lay in other files.

    WrongUse: there is no such file, or it is a folder. Refusal: it is no ONNX file, or its data lie
    elsewhere, are cut off or are too many.
    """
    if path.is_dir():
        raise WrongUse(f"FILE: '{path}' is a folder", "Name the .onnx file in it.")
    if not path.is_file():
        raise WrongUse(f"FILE: there is no file '{path}'")
    _check_size(path.stat().st_size, path)
    try:
        proto = onnx.load_model_from_string(path.read_bytes())
    except Exception as error:  # protobuf's own
        raise _no_model(path) from error
    if not proto.graph.node or not proto.ir_version or not proto.opset_import:
        raise _no_model(path)
    outside = [t for t in _tensors(proto) if t.data_location == TensorProto.EXTERNAL]
    locations = [_location(tensor, path) for tensor in outside]
    _check_size(proto.ByteSize() + sum(length for _, _, length in locations), path)
    for tensor, location in zip(outside, locations, strict=True):
        _embed(tensor, *location)
    return proto, len(outside)


def _no_model(path: Path) -> Refusal:
    return Refusal(f"'{path}' is not an ONNX model", "Give the .onnx file that was exported.")


def _check_size(size: int, path: Path) -> None:
    if size > LARGEST_BYTES:
        raise Refusal(
            f"'{path.name}' has {size / 2**30:.1f} GiB with its data: at most 2 fit one ONNX file",
            "Export a smaller model.",
        )


def _tensors(proto: onnx.ModelProto) -> Iterator[Any]:
    """Every tensor that can have its data in another file."""
    attributes = [attribute for node in all_nodes(proto) for attribute in node.attribute]
    sparse: list[Any] = []
    for graph in (proto.graph, *(g for a in attributes for g in (a.g, *a.graphs))):
        yield from graph.initializer
        sparse += graph.sparse_initializer
    for attribute in attributes:
        yield from (attribute.t, *attribute.tensors)
        sparse += (attribute.sparse_tensor, *attribute.sparse_tensors)
    for each in sparse:
        yield from (each.values, each.indices)


def _location(tensor: Any, path: Path) -> tuple[Path, int, int]:
    """The file that holds a tensor's data, where they start, and how many bytes they are."""
    about = {entry.key: entry.value for entry in tensor.external_data}
    location = about.get("location", "")
    folder = path.parent.resolve()
    try:
        file = (folder / location).resolve()
        offset, length = int(about.get("offset") or 0), int(about.get("length") or -1)
    except (OSError, RuntimeError, ValueError) as error:
        raise Refusal(
            f"tensor '{tensor.name}': its external data can't be found: {error}"
        ) from error
    steps = location.replace("\\", "/").split("/")
    if not location or ".." in steps or location.startswith(("/", "\\")) or ":" in steps[0]:
        raise Refusal(f"tensor '{tensor.name}': its data are outside, in '{location}'", INSIDE)
    if not file.is_relative_to(folder):  # a link
        raise Refusal(f"tensor '{tensor.name}': '{location}' leads out of '{folder}'", INSIDE)
    if not file.is_file():
        raise Refusal(f"tensor '{tensor.name}': there is no file '{location}'", INSIDE)
    size = file.stat().st_size
    length = size - offset if length < 0 else length
    if offset < 0 or offset + length > size:
        raise Refusal(
            f"tensor '{tensor.name}': '{location}' ends before its data: expected "
            f"{offset + length} bytes, got {size}",
            "Copy the file again.",
        )
    return file, offset, length


def _embed(tensor: Any, file: Path, offset: int, length: int) -> None:
    with file.open("rb") as data:
        data.seek(offset)
        tensor.raw_data = data.read(length)
    tensor.ClearField("data_location")
    del tensor.external_data[:]


def check_versions(proto: onnx.ModelProto) -> None:
    """Compare a model's versions and operators with what the installed ONNX Runtime takes.

    Refusal: an opset or the IR is newer than the runtime knows, or an operator is not its own.
    """
    if not _loads(ir_version=proto.ir_version):
        most = next(v for v in range(min(proto.ir_version, 100), 0, -1) if _loads(ir_version=v))
        raise Refusal(
            f"the file is of IR version {proto.ir_version}: {_runtime()} takes up to {most}",
            f"Save it again after 'model.ir_version = {most}', or with an older onnx package.",
        )
    for domain, version in opsets(proto).items():
        if not _loads(domain, version):
            most = next((v for v in range(min(version, 200), 0, -1) if _loads(domain, v)), 0)
            raise Refusal(
                f"the file needs opset {version} of {domain}: {_runtime()} takes up to {most}",
                f"Export it with a lower one: opset_version={most} in torch.onnx.export and "
                f"Keras' export, --opset {most} in tf2onnx, target_opset={most} elsewhere.",
            )
    _check_domains(proto)


def opsets(proto: onnx.ModelProto) -> dict[str, int]:
    """The version that each domain is used in, by its name."""
    return {entry.domain or STANDARD: entry.version for entry in proto.opset_import}


def _check_domains(proto: onnx.ModelProto) -> None:
    """Refuse operators that neither the runtime has nor the file itself defines."""
    own = {(function.domain, function.name) for function in proto.functions}
    foreign: dict[str, set[str]] = {}
    for node in all_nodes(proto):
        if (node.domain, node.op_type) not in own and _loads(node.domain, NO_SUCH_VERSION):
            foreign.setdefault(node.domain, set()).add(node.op_type)
    if foreign:
        listed = "; ".join(f"{', '.join(sorted(o))} of '{d}'" for d, o in sorted(foreign.items()))
        raise Refusal(
            f"the file uses operators that {_runtime()} does not have: {listed}",
            "Export without custom operators: these need a library that is not deployed.",
        )


def inputs_of(proto: onnx.ModelProto) -> dict[str, Any]:
    """The inputs that are not also constants, as files of old have them, by name."""
    constants = {tensor.name for tensor in proto.graph.initializer}
    return {info.name: info for info in proto.graph.input if info.name not in constants}


def all_nodes(proto: onnx.ModelProto) -> Iterator[Any]:
    """All nodes of a model, with those of its functions and of graphs within nodes."""
    return nodes_within([*proto.graph.node, *(n for f in proto.functions for n in f.node)])


def nodes_within(nodes: Iterable[Any]) -> Iterator[Any]:
    """Nodes, with those of graphs within them."""
    todo = [*nodes]
    while todo:
        node = todo.pop()
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                todo += graph.node


def small_numbers(proto: onnx.ModelProto, most: float) -> list[float]:
    """The numbers in a graph's small constants, and those beside: what rows are compared with."""
    held = [attribute.t for node in all_nodes(proto) for attribute in node.attribute]
    small = [t for t in (*proto.graph.initializer, *held) if t.data_type and t.ByteSize() < SMALL]
    arrays = [numpy_helper.to_array(tensor).ravel() for tensor in small]
    found = {float(n) for array in arrays if array.dtype.kind in "fiu" for n in array}
    near = sorted(n for n in found if abs(n) <= most)
    return [n + step for n in near for step in (0, 1, -1)] or [0.0]


def _runtime() -> str:
    return f"ONNX Runtime {onnxruntime.__version__}"


@cache
def _loads(domain: str = STANDARD, version: int = 13, ir_version: int = 7) -> bool:
    """Whether the runtime takes a model of these versions: the smallest there is, tried."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "tried", [x], [y])
    domains = {STANDARD: 13, domain or STANDARD: version}
    imports = [helper.make_opsetid("" if d == STANDARD else d, v) for d, v in domains.items()]
    tried = helper.make_model(graph, opset_imports=imports, ir_version=ir_version)
    try:
        opened(tried.SerializeToString())
    except Exception:  # ONNX Runtime has a class for each of its codes
        return False
    return True


def open_session(onnx_bytes: bytes) -> Any:
    """An ONNX Runtime session; a refusal says in a line why there is none."""
    try:
        return opened(onnx_bytes)
    except Exception as error:
        raise Refusal(
            f"{_runtime()} does not load it: {one_line(error)}",
            "Export it for this runtime: a lower opset, and only standard operators.",
        ) from error


def one_line(error: BaseException) -> str:
    """What ONNX Runtime says, without where in its source it says so."""
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", " ".join(str(error).split()))
    return shortened(ValueError(re.sub(r"/\S+\.(cc|h):\d+ .*?\) ", "", text)))
