"""The inputs of a graph: columns as they come in, and what the function makes of them before."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import onnx
from onnx import helper

from onnxlet.convert.graph.nodes import ELEMENTS, NodeWriter, Unsupported
from onnxlet.convert.graph.tensor import Tensor
from onnxlet.function.arrays import MISSING_TEXT
from onnxlet.function.inputs.sentences import TokenCounts


class GraphInputs(NodeWriter, ABC):
    """Collects a graph's inputs.

    Attributes:
        inputs: the manifest's entries: each tensor's name, dtype, columns, and what else it needs.
    """

    def __init__(self) -> None:
        super().__init__()
        self.inputs: list[dict[str, Any]] = []
        self._value_infos: list[onnx.ValueInfoProto] = []

    @abstractmethod
    def tensor(
        self, name: str, dtype: str, width: int = 1, dimensions: int | None = None
    ) -> Tensor:
        """The graph's tensor of a name."""

    def input(
        self, columns: Sequence[str], dtype: str, width: int | None = None, **described: Any
    ) -> Tensor:
        """An input of the graph, which the function feeds.

        Args:
            columns: of the signature, that the function puts side by side.
            dtype: of the tensor.
            width: columns of the tensor; one for each in the signature if not given.
            described: further items of its entry in the manifest.
        """
        name = self.unique("input")
        self.inputs.append({"name": name, "dtype": dtype, "columns": list(columns), **described})
        wide = len(columns) if width is None else width
        self._value_infos.append(helper.make_tensor_value_info(name, ELEMENTS[dtype], [None, wide]))
        return self.tensor(name, dtype, wide, 2)

    def _known(self, **members: Any) -> dict[str, Any] | None:
        """The entry of an input that has these members, if there is one."""
        found = (e for e in self.inputs if all(e.get(n) == v for n, v in members.items()))
        return next(found, None)

    def column_of(self, tensor: Tensor, indices: Sequence[int]) -> str | None:
        """The signature's column at these indices of an input of text; None if they are no such."""
        return self._source(tensor, indices)[0] if tensor.dtype == "string" else None

    def _source(self, tensor: Tensor, indices: Sequence[int]) -> tuple[str | None, str]:
        """The signature's column at these indices of an input, and the input's dtype."""
        for entry in self.inputs:
            if entry["name"] == tensor.name and "steps" not in entry and len(indices) == 1:
                return str(entry["columns"][indices[0]]), str(entry["dtype"])
        return None, ""

    def front_end(
        self, column: Tensor, step: Mapping[str, Any], dtype: str = "string", width: int = 1
    ) -> Tensor:
        """A column changed by a step that the function takes before it feeds the graph.

        Args:
            column: an input of text or numbers, or what other steps have made of an input of text.
            step: its name as `step`, and its settings, for `onnxlet.function.inputs.front_end`.
            dtype: of the result.
            width: columns of the result.

        Returns:
            An input of the graph; where it is text, further steps may follow.

        Raises:
            Unsupported: a step inside the model has made the column.
        """
        name, source = column.column, "string"
        if name is None:
            base, indices = column.origin or (column, tuple(range(column.width)))
            name, source = self._source(base, indices)
        if name is None:
            raise Unsupported(
                "it is given a column that a step before it has changed",
                "What ONNX can't do is done to columns as they come in: put this step first.",
            )
        steps = [*steps_of(column), dict(step)]
        if known := self._known(columns=[name], dtype=dtype, steps=steps):
            made = self.tensor(known["name"], dtype, width, 2)
        else:
            made = self.input([name], dtype, width, **{"from": source, "steps": steps})
            if width > 1:
                self.inputs[-1]["width"] = width
        if dtype != "string":
            return made
        types = tuple(kind for kind in column.types if kind.startswith("string"))
        return replace(made, column=name, steps=tuple(steps), labels=column.labels, types=types)

    def image(self, column: Tensor, settings: Mapping[str, Any], width: int) -> Tensor:
        """The pixels of a column of images, which the function reads: uint8, so many in a row.

        The settings are height, width, mode and resize, for `onnxlet.function.inputs.images`.
        Unsupported: it is no input of text, or a step before has changed it.
        """
        name = None if steps_of(column) else column.column
        if name is None:
            raise Unsupported(
                "it is given what is no column of images as requests have it",
                "Images are read as they come in: put onnxlet.Images first.",
            )
        if known := self._known(columns=[name], image=settings):
            return self.tensor(known["name"], "uint8", width, 2)
        return self.input([name], "uint8", width, image=dict(settings))

    def merged(self, made: Sequence[Tensor]) -> tuple[list[Tensor], list[int]]:
        """Inputs of `front_end` with several columns each: an input takes ONNX Runtime half a µs.

        What is given is inputs of numbers, of one column each; behind the new ones comes where each
        of these is among their columns.
        """
        entries = {entry["name"]: entry for entry in self.inputs}
        groups: dict[str, list[int]] = {}
        for index, tensor in enumerate(made):
            entry = entries[tensor.name]
            key = repr([entry[name] for name in ("dtype", "from", "steps")])
            groups.setdefault(key, []).append(index)
        inputs, order = [], []
        for members in groups.values():
            first = entries[made[members[0]].name]
            columns = [entries[made[index].name]["columns"][0] for index in members]
            described = {"from": first["from"], "steps": first["steps"]}
            inputs.append(self.input(columns, first["dtype"], **described))
            order += members
        return inputs, [order.index(index) for index in range(len(made))]

    def count(
        self, columns: Sequence[str], dtype: str, tokens: Mapping[str, Any]
    ) -> tuple[Tensor, Tensor]:
        """Tokens of columns of text, which the function counts, by settings that a manifest has.

        Several columns count together, with what `between` has between their texts. The result is
        the indices of the columns that are not zero, and the counts of a dtype, as in
        `Tensor.compact`.
        """
        if known := self._known(columns=list(columns), dtype=dtype, tokens=tokens):
            return self._counted(known["places"], known["name"], dtype)
        counts, indices = self.unique("input"), self.unique("input")
        entry = {"name": counts, "dtype": dtype, "columns": list(columns), "places": indices}
        self.inputs.append({**entry, "tokens": tokens})
        self._value_infos += [
            helper.make_tensor_value_info(counts, ELEMENTS[dtype], [None, None]),
            helper.make_tensor_value_info(indices, ELEMENTS["int64"], [None]),
        ]
        return self._counted(indices, counts, dtype)

    def sentences(self, column: str, settings: Mapping[str, Any]) -> dict[str, Tensor]:
        """What the sentences of a column of documents count; a manifest has the settings.

        By name, the members of `onnxlet.function.inputs.sentences.TokenCounts`.
        """
        for entry in self.inputs:
            known = entry.get("sentences", {})
            if entry["columns"] == [column] and {**known, **settings} == known:
                return {
                    member: self._of_sentences(member, n) for member, n in known["tensors"].items()
                }
        tensors = {member: self.unique("input") for member in TokenCounts._fields}
        entry = {"name": tensors["counts"], "dtype": "float64", "columns": [column]}
        self.inputs.append({**entry, "sentences": {**settings, "tensors": tensors}})
        made = {member: self._of_sentences(member, name) for member, name in tensors.items()}
        for tensor in made.values():
            shape = [None] * (tensor.dimensions or 1)
            info = helper.make_tensor_value_info(tensor.name, ELEMENTS[tensor.dtype], shape)
            self._value_infos.append(info)
        return made

    def _of_sentences(self, member: str, name: str) -> Tensor:
        dtype = "float64" if member == "counts" else "int64"
        return self.tensor(name, dtype, dimensions=2 if member == "layout" else 1)

    def _counted(self, indices: str, counts: str, dtype: str) -> tuple[Tensor, Tensor]:
        values = self.tensor(counts, dtype, dimensions=2)
        return self.tensor(indices, "int64", dimensions=1), values


def steps_of(column: Tensor) -> list[Mapping[str, Any]]:
    """All steps of the front end that make a column of text out of the signature's."""
    if not column.replaced:
        return list(column.steps)
    pairs = [[None if text == MISSING_TEXT else text for text in pair] for pair in column.replaced]
    return [*column.steps, {"step": "replace_texts", "pairs": pairs}]
