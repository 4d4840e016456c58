"""What an encoder's and a decoder's inputs and outputs are for, by their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import onnx
from onnx import TensorProto

from onnxlet.convert.imported.onnx_file import inputs_of
from onnxlet.folders import documented
from onnxlet.function.errors import WrongUse

INTEGERS = (TensorProto.INT64, TensorProto.INT32)
NEXT = ("new_{}", "next_{}", "{}_out")  # what an output is called that becomes the input {}
HINT = (
    "An encoder takes ids (rows, length), and a mask of that shape if it needs one. A decoder "
    "takes ids that were written, states, and the encoder's tensors by their names; --link "
    "INPUT=TENSOR names what else feeds one of its inputs."
    + documented(" docs/how-to/import-text.md has both forms.")
)


class DecoderState(NamedTuple):
    """What a decoder hands to its next step."""

    following: str  # the output that it is behind a step
    first: str | None  # the encoder's tensor that it is before the first one; None is zeros


class Roles(NamedTuple):
    """Which tensor is for what."""

    ids: str  # the encoder's input that has the ids of the text
    mask: str | None  # the encoder's input of ones; None where there is none
    written: str  # the decoder's input that has ids that were written
    fed: dict[str, str]  # by the decoder's input, the encoder's tensor that it takes
    states: dict[str, DecoderState]  # by the decoder's input
    logits: str  # the decoder's output that says which unit comes next
    stepwise: bool  # the decoder takes the last id only; else all that were written


def dims_of(info: Any) -> list[int | str]:
    """A tensor's sizes, names for those that are free."""
    dims = info.type.tensor_type.shape.dim
    return [dim.dim_value if dim.HasField("dim_value") else dim.dim_param for dim in dims]


def roles(encoder: onnx.ModelProto, decoder: onnx.ModelProto, links: Sequence[str]) -> Roles:
    """Find out what each input and output is for; links are INPUT=TENSOR, of the decoder's inputs.

    WrongUse names every input that is for nothing that is known.
    """
    faults: list[str] = []
    ids, mask = _of_encoder(encoder, faults)
    sources = {output.name for output in encoder.graph.output} | set(inputs_of(encoder))
    outputs = [output.name for output in decoder.graph.output]
    inputs = inputs_of(decoder)
    linked = _linked(links, sources, outputs, inputs, faults)
    passed = {output.name for output in encoder.graph.output} | ({mask} if mask else set())
    fed: dict[str, str] = {}
    states: dict[str, DecoderState] = {}
    left: list[str] = []
    for name in inputs:
        tensors = linked.get(name, [])
        following = [t for t in tensors if t in outputs] or [
            known for form in NEXT if (known := form.format(name)) in outputs and not tensors
        ]
        source = [t for t in tensors if t in sources] or [
            t for t in (name, *following) if t in passed
        ]
        if following:
            states[name] = DecoderState(following[0], source[0] if source else None)
        elif source:
            fed[name] = source[0]
        else:
            left.append(name)
    whole = [name for name in left if _is_ids(inputs[name], (1, 2))]
    if len(whole) != 1 or len(left) > 1:
        named = ", ".join(f"'{name}'" for name in left) or "none"
        faults.append(
            "decoder: expected one input that nothing else feeds, of integers (rows,) or "
            f"(rows, written), for the ids that were written; got {named}"
        )
    following_ones = {state.following for state in states.values()}
    others = [name for name in outputs if name not in following_ones]
    if not others:
        faults.append("decoder: no output is left for the logits: all are new states")
    if faults:
        raise WrongUse("; ".join(faults), HINT)
    dims = dims_of(inputs[whole[0]])
    stepwise = bool(states) or len(dims) == 1 or dims[1] == 1
    logits = "logits" if "logits" in others else others[0]
    return Roles(ids, mask, whole[0], fed, states, logits, stepwise)


def _is_ids(info: Any, ranks: Sequence[int]) -> bool:
    tensor = info.type.tensor_type
    return tensor.elem_type in INTEGERS and len(tensor.shape.dim) in ranks


def _of_encoder(encoder: onnx.ModelProto, faults: list[str]) -> tuple[str, str | None]:
    inputs = inputs_of(encoder)
    masks = [name for name in inputs if "mask" in name.lower()]
    ids = [name for name in inputs if name not in masks and _is_ids(inputs[name], (2,))]
    others = [name for name in inputs if name not in [*ids[:1], *masks[:1]]]
    if len(ids) != 1 or others:
        named = ", ".join(f"'{name}' {tuple(dims_of(info))}" for name, info in inputs.items())
        faults.append(
            "encoder: expected one input of integers (rows, length) for the ids, and at most one "
            f"called a mask; got {named or 'none'}"
        )
        return "", None
    length = dims_of(inputs[ids[0]])[1]
    if isinstance(length, int):
        faults.append(
            f"encoder: its input '{ids[0]}' has a fixed length of {length}: texts have any; export "
            "it with dynamic_axes, or dynamic_shapes"
        )
    return ids[0], masks[0] if masks else None


def _linked(
    links: Sequence[str],
    sources: set[str],
    outputs: Sequence[str],
    inputs: dict[str, Any],
    faults: list[str],
) -> dict[str, list[str]]:
    """The tensors that --link names, by the decoder's input."""
    found: dict[str, list[str]] = {}
    for link in links:
        name, mark, tensor = link.partition("=")
        if not mark or name not in inputs:
            faults.append(
                f"--link: expected INPUT=TENSOR with an input of the decoder "
                f"({', '.join(inputs)}), got '{link}'"
            )
        elif tensor not in sources and tensor not in outputs:
            known = ", ".join([*sorted(sources), *outputs])
            faults.append(f"--link: '{name}': expected one of {known}, got '{tensor}'")
        else:
            found.setdefault(name, []).append(tensor)
    return found
