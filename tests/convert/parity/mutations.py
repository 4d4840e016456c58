"""Conversions broken on purpose, one way at a time, as a wrong converter would break them.

What is mutated is the finished graph (and the words in the manifest, which text is cut by), so
that nothing is assumed of how a converter came to write it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, helper, numpy_helper

Random = np.random.Generator

FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE)
COMPARISONS = ("Less", "LessOrEqual", "Greater", "GreaterOrEqual")
REPLACED = {
    "Abs": "Identity", "Add": "Sub", "And": "Or", "ArgMax": "ArgMin", "ArgMin": "ArgMax",
    "Div": "Mul", "Exp": "Identity", "Floor": "Ceil", "Greater": "GreaterOrEqual",
    "GreaterOrEqual": "Greater", "Less": "LessOrEqual", "LessOrEqual": "Less", "Log": "Identity",
    "Max": "Min", "Min": "Max", "Mul": "Add", "Neg": "Identity", "Not": "Identity", "Or": "And",
    "ReduceMax": "ReduceMin", "ReduceMin": "ReduceMax", "ReduceSum": "ReduceMax",
    "Relu": "Identity", "Sigmoid": "Tanh", "Softmax": "Identity", "Sqrt": "Identity",
    "Tanh": "Identity",
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A conversion with one thing wrong.

    Attributes:
        kind: of what is wrong.
        place: in the graph or the manifest.
        onnx: the serialised ModelProto.
        manifest: changed where the words are.
    """

    kind: str
    place: str
    onnx: bytes
    manifest: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.kind} at {self.place}"


def mutants(onnx_bytes: bytes, manifest: dict[str, Any], each: int) -> Iterator[Mutant]:
    """Up to so many of each kind, always the same ones."""
    proto = onnx.load_from_string(onnx_bytes)
    for kind, mutate in KINDS.items():
        made = list(mutate(proto, np.random.default_rng(0)))
        for place, changed in _some(made, each):
            yield Mutant(kind, place, changed().SerializeToString(), manifest)
    for place, words in _some(list(_wrong_words(manifest)), 2 * each):
        yield Mutant("wrong word", place, onnx_bytes, words)


def _some(made: Sequence[Any], each: int) -> list[Any]:
    picks = np.random.default_rng(1).permutation(len(made))[:each]
    return [made[place] for place in sorted(picks)]


# Each mutation is described by its position, and a function that makes the graph once it is chosen.

Made = Iterator[tuple[str, Callable[[], ModelProto]]]


def _nodes(graph: onnx.GraphProto) -> Iterator[NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            yield from _nodes(attribute.g)


def _changed_node(
    proto: ModelProto, number: int, change: Callable[[NodeProto], None]
) -> Callable[[], ModelProto]:
    def make() -> ModelProto:
        copied = copy.deepcopy(proto)
        change(list(_nodes(copied.graph))[number])
        return copied

    return make


def _changed_constant(proto: ModelProto, name: str, array: Any) -> Callable[[], ModelProto]:
    def make() -> ModelProto:
        copied = copy.deepcopy(proto)
        for tensor in copied.graph.initializer:
            if tensor.name == name:
                tensor.CopyFrom(numpy_helper.from_array(array, name))
        return copied

    return make


def _changed_tensor(
    proto: ModelProto, number: int, attribute: str, array: Any
) -> Callable[[], ModelProto]:
    def change(node: NodeProto) -> None:
        found = next(entry for entry in node.attribute if entry.name == attribute)
        found.t.CopyFrom(numpy_helper.from_array(array, attribute))

    return _changed_node(proto, number, change)


def _constants(proto: ModelProto, types: Sequence[int]) -> Iterator[tuple[str, Any]]:
    for tensor in proto.graph.initializer:
        if tensor.data_type in types:
            yield tensor.name, numpy_helper.to_array(tensor)


def _entries(array: Any, random: Random, most: int = 12) -> Iterator[Any]:
    """Some places of an array."""
    for flat in random.permutation(array.size)[:most].tolist():
        yield np.unravel_index(flat, array.shape)


def _with(array: Any, place: Any, value: Any) -> Any:
    changed = array.copy()
    changed[place] = value
    return changed


def _trees(proto: ModelProto) -> Iterator[tuple[int, NodeProto]]:
    for number, node in enumerate(_nodes(proto.graph)):
        if node.op_type == "TreeEnsemble":
            yield number, node


def _attribute(node: NodeProto, name: str) -> Any:
    found = next((entry for entry in node.attribute if entry.name == name), None)
    if found is None:
        return []
    value = helper.get_attribute_value(found)
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def _users(proto: ModelProto, name: str) -> set[tuple[str, int]]:
    """The operators that read a constant, and as which input."""
    return {
        (node.op_type, place)
        for node in _nodes(proto.graph)
        for place, given in enumerate(node.input)
        if given == name
    }


def _flipped_sign(proto: ModelProto, random: Random) -> Made:
    for name, array in _constants(proto, FLOATS):
        for place in _entries(array, random):
            if array[place] != 0:
                made = _with(array, place, -array[place])
                yield f"{name}{list(map(int, place))}", _changed_constant(proto, name, made)


def _coefficient(proto: ModelProto, random: Random) -> Made:
    for name, array in _constants(proto, FLOATS):
        for place in _entries(array, random):
            if array[place] != 0:
                made = _with(array, place, array[place] / array.dtype.type(1.001))
                yield f"{name}{list(map(int, place))}", _changed_constant(proto, name, made)


def _swapped_operands(proto: ModelProto, _: Random) -> Made:
    def swap(node: NodeProto) -> None:
        node.input[0], node.input[1] = node.input[1], node.input[0]

    for number, node in enumerate(_nodes(proto.graph)):
        if node.op_type in ("Sub", "Div", "Pow"):
            yield f"{node.op_type} {node.output[0]}", _changed_node(proto, number, swap)


def _operator(proto: ModelProto, _: Random) -> Made:
    for number, node in enumerate(_nodes(proto.graph)):
        if node.op_type in REPLACED:
            kind = REPLACED[node.op_type]
            place = f"{node.output[0]}, {node.op_type} to {kind}"
            yield place, _changed_node(proto, number, partial(_become, kind=kind))


def _become(node: NodeProto, kind: str) -> None:
    node.op_type = kind
    if kind == "Identity":
        del node.input[1:]
        del node.attribute[:]


def _swapped_branches(proto: ModelProto, _: Random) -> Made:
    def swap(node: NodeProto) -> None:
        node.input[1], node.input[2] = node.input[2], node.input[1]

    for number, node in enumerate(_nodes(proto.graph)):
        if node.op_type == "Where":
            yield node.output[0], _changed_node(proto, number, swap)


def _threshold(proto: ModelProto, random: Random) -> Made:
    """By one unit in the last place, up or down."""
    for number, node in _trees(proto):
        splits = _attribute(node, "nodes_splits")
        for place in _entries(splits, random, 40):
            end = splits.dtype.type(random.choice([np.inf, -np.inf]))
            made = _with(splits, place, np.nextafter(splits[place], end))
            yield (
                f"{node.output[0]}, split {place[0]} towards {end}",
                _changed_tensor(proto, number, "nodes_splits", made),
            )
    for name, array in _constants(proto, FLOATS):
        if any(operator in COMPARISONS for operator, _ in _users(proto, name)):
            for place in _entries(array, random):
                end = array.dtype.type(random.choice([np.inf, -np.inf]))
                made = _with(array, place, np.nextafter(array[place], end))
                yield (
                    f"{name}{list(map(int, place))} towards {end}",
                    _changed_constant(proto, name, made),
                )


def _branch_mode(proto: ModelProto, random: Random) -> Made:
    """`<=` for `<` and the other way round."""
    for number, node in _trees(proto):
        modes = _attribute(node, "nodes_modes")
        for place in _entries(modes, random):
            if modes[place] in (0, 1):
                made = _with(modes, place, 1 - modes[place])
                yield (
                    f"{node.output[0]}, mode {place[0]}",
                    _changed_tensor(proto, number, "nodes_modes", made),
                )


def _leaf(proto: ModelProto, random: Random) -> Made:
    """Swapped with another leaf, or off by a thousandth."""
    for number, node in _trees(proto):
        weights = _attribute(node, "leaf_weights")
        for place in _entries(weights, random):
            other = (int(random.integers(len(weights))),)
            swapped = _with(_with(weights, place, weights[other]), other, weights[place])
            scaled = _with(weights, place, weights[place] * weights.dtype.type(1.001))
            for how, made in (("swapped", swapped), ("scaled", scaled)):
                if not np.array_equal(made, weights):
                    yield (
                        f"{node.output[0]}, leaf {place[0]} {how}",
                        _changed_tensor(proto, number, "leaf_weights", made),
                    )


def _integers(
    proto: ModelProto, random: Random, name: str, change: Callable[[Any, int, Random], None]
) -> Made:
    """One entry of a tree's attribute of whole numbers changed."""
    for number, node in _trees(proto):
        known = list(_attribute(node, name))
        for place in random.permutation(len(known))[:12].tolist():
            changed = list(known)
            change(changed, place, random)

            def put(found: NodeProto, changed: list[int] = changed) -> None:
                entry = next(entry for entry in found.attribute if entry.name == name)
                entry.ints[:] = changed

            if changed != known:
                yield f"{node.output[0]}, {name} {place}", _changed_node(proto, number, put)


def _feature(proto: ModelProto, random: Random) -> Made:
    def other(changed: list[int], place: int, random: Random) -> None:
        changed[place] = int(random.choice(changed))

    yield from _integers(proto, random, "nodes_featureids", other)


def _missing_branch(proto: ModelProto, random: Random) -> Made:
    """A missing value takes the other branch; or a gap is not seen at all."""

    def flip(changed: list[int], place: int, _: Random) -> None:
        changed[place] = 1 - changed[place]

    def blind(node: NodeProto) -> None:
        node.op_type = "Less"  # nothing is less than itself
        node.input.append(node.input[0])

    yield from _integers(proto, random, "nodes_missing_value_tracks_true", flip)
    for number, node in enumerate(_nodes(proto.graph)):
        if node.op_type == "IsNaN":
            yield node.output[0], _changed_node(proto, number, blind)


def _category(proto: ModelProto, random: Random) -> Made:
    """A known value is taken for another, or for none."""
    for number, node in enumerate(_nodes(proto.graph)):
        if node.op_type == "LabelEncoder":
            for name in ("keys_strings", "keys_int64s"):
                yield from _dropped_keys(proto, number, node, name)
    types = (*FLOATS, onnx.TensorProto.STRING, onnx.TensorProto.INT64)
    for name, array in _constants(proto, types):
        if any(operator == "Equal" for operator, _ in _users(proto, name)):
            for place in _entries(array, random):
                other = "nothing" if array.dtype.kind in "OSU" else array[place] + 1
                made = _with(array.astype(object), place, other).astype(array.dtype)
                yield f"{name}{list(map(int, place))}", _changed_constant(proto, name, made)


def _dropped_keys(proto: ModelProto, number: int, node: NodeProto, name: str) -> Made:
    keys = next((list(_attribute(node, e.name)) for e in node.attribute if e.name == name), [])
    for place in range(len(keys)):

        def drop(found: NodeProto, place: int = place) -> None:
            for entry in found.attribute:
                if entry.name.startswith(("keys_", "values_")):
                    for values in (entry.strings, entry.ints, entry.floats):
                        if len(values) > place:
                            del values[place]

        yield f"{node.output[0]}, key {keys[place]!r}", _changed_node(proto, number, drop)


def _looked_up(proto: ModelProto, random: Random) -> Made:
    """Two classes (or rows of any table that places are looked up in) swapped."""
    types = (*FLOATS, onnx.TensorProto.STRING, onnx.TensorProto.INT64)
    for name, array in _constants(proto, types):
        if ("Gather", 0) in _users(proto, name) and array.ndim and len(array) > 1:
            for _ in range(6):
                a, b = random.choice(len(array), 2, replace=False).tolist()
                made = array.copy()
                made[[a, b]] = made[[b, a]]
                if not np.array_equal(made, array):
                    yield f"{name}, {a} and {b}", _changed_constant(proto, name, made)


def _column(proto: ModelProto, random: Random) -> Made:
    """Another column is taken."""
    for name, array in _constants(proto, (onnx.TensorProto.INT64,)):
        if ("Gather", 1) in _users(proto, name) and array.size:
            for place in _entries(array, random, 4):
                wrong = array[place] - 1 if array[place] > 0 else array[place] + 1
                made = _with(array, place, wrong)
                yield f"{name}{list(map(int, place))}", _changed_constant(proto, name, made)


def _wrong_words(manifest: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """A term that text is counted by is another one, or has another's place."""
    for number, entry in enumerate(manifest["graph"]["inputs"]):
        terms = entry.get("tokens", {}).get("vocabulary", [])
        for place in range(0, len(terms), max(1, len(terms) // 12)):
            for how, wrong in (
                ("renamed", {place: f"{terms[place]}x"}),
                ("swapped", {place: terms[place - 1], place - 1: terms[place]}),
            ):
                changed = copy.deepcopy(manifest)
                words = changed["graph"]["inputs"][number]["tokens"]["vocabulary"]
                for at, term in wrong.items():
                    words[at] = term
                yield f"{terms[place]!r} {how}", changed


KINDS: dict[str, Callable[[ModelProto, Random], Made]] = {
    "flipped sign": _flipped_sign,
    "coefficient off by a thousandth": _coefficient,
    "swapped operands": _swapped_operands,
    "another operator": _operator,
    "swapped branches": _swapped_branches,
    "threshold off by one unit in the last place": _threshold,
    "other side of equality": _branch_mode,
    "wrong leaf": _leaf,
    "another feature": _feature,
    "lost missing value": _missing_branch,
    "lost category": _category,
    "swapped classes": _looked_up,
    "another column": _column,
}
