"""A subject that is an ONNX file, whoever has converted it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper

from onnxlet.convert.errors import shortened
from onnxlet.convert.imported.onnx_file import check_versions, inputs_of, read_onnx
from onnxlet.convert.imported.trial import check_it_ends, check_loops
from onnxlet.convert.prove.subject import Given, Subject, SubjectFailed, refused
from onnxlet.convert.prove.tensors import Feed, Tensor, feeds_of
from onnxlet.convert.reference.inputs import Cells, InputColumn
from onnxlet.function.runtime.package import opened


@dataclass(frozen=True)
class OnnxFile(Subject):
    """An ONNX file in a session of ONNX Runtime."""

    name: str
    session: Any
    feeds: Sequence[Feed]
    columns: Sequence[InputColumn]
    single: bool = False

    def unasked(self, row: Cells) -> str:
        """A tensor of text or of whole numbers holds no gap."""
        return next((why for feed in self.feeds if (why := feed.unasked(row, self.columns))), "")

    def outputs(self, rows: Sequence[Cells]) -> Mapping[str, Any]:
        """What the graph computes of the rows; of one row each time where it takes no more."""
        if self._one_by_one and len(rows) > 1:
            every = [self.outputs([row]) for row in rows]
            return {name: _joined([one[name] for one in every]) for name in every[0]}
        feeds = {feed.tensor.name: feed.array(rows) for feed in self.feeds}
        try:
            got = self.session.run(None, feeds)
        except Exception as error:  # ONNX Runtime's own, of several classes
            raise refused(f"ONNX Runtime: {shortened(error)}") from error
        return dict(zip((each.name for each in self.session.get_outputs()), got, strict=True))

    @property
    def _one_by_one(self) -> bool:
        return any(feed.tensor.shape[:1] == (1,) for feed in self.feeds)


def _joined(parts: Sequence[Any]) -> Any:
    if isinstance(parts[0], list):
        return [each for part in parts for each in part]
    return np.concatenate(parts)


def onnx_file(path: Path, given: Given) -> OnnxFile:
    """Read an ONNX file, and match its inputs to the columns.

    Raises WrongUse where there is none, Refusal where the runtime does not take it, or it does not
    end, or needs more memory than there is; Unmatched where its inputs are others.
    """
    proto, _ = read_onnx(path)
    check_versions(proto)
    check_loops(proto)
    tensors = [_tensor(each) for each in inputs_of(proto).values()]
    feeds, content = feeds_of(tensors, given), proto.SerializeToString()
    check_it_ends(content, None, {})
    try:
        session = opened(content)
    except Exception as error:
        why = f"'{path.name}' does not load: {shortened(error)}"
        zipped = any(node.op_type == "ZipMap" for node in proto.graph.node)
        hint = ", with options={'zipmap': False}: ZipMap takes no float64" * zipped
        raise SubjectFailed(why, f"Convert it again{hint}.") from error
    floats = [t.tensor.type for t in feeds if t.tensor.type.startswith("float")]
    single = all(each == "float32" for each in floats) if floats else _answers_single(proto)
    return OnnxFile(path.name, session, feeds, given.columns, single)


def _tensor(value: Any) -> Tensor:
    found = value.type.tensor_type
    known = found.elem_type and helper.tensor_dtype_to_np_dtype(found.elem_type).name
    dims = found.shape.dim
    shape = tuple(
        d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in dims
    )
    return Tensor(value.name, "string" if known == "object" else known or "no tensor", shape)


def _answers_single(proto: onnx.ModelProto) -> bool:
    kinds = {each.type.tensor_type.elem_type for each in proto.graph.output}
    return onnx.TensorProto.FLOAT in kinds and onnx.TensorProto.DOUBLE not in kinds
