"""What both ways to ONNX Runtime raise: its library, and its Python package."""

from __future__ import annotations

# By the codes of `OrtErrorCode`, as ONNX Runtime's own Python package writes them in its messages.
CODES = {
    1: "FAIL", 2: "INVALID_ARGUMENT", 3: "NO_SUCHFILE", 4: "NO_MODEL", 5: "ENGINE_ERROR",
    6: "RUNTIME_EXCEPTION", 7: "INVALID_PROTOBUF", 8: "MODEL_LOADED", 9: "NOT_IMPLEMENTED",
    10: "INVALID_GRAPH", 11: "EP_FAIL",
}  # fmt: skip
FAIL, INVALID_ARGUMENT, RUNTIME_EXCEPTION, NOT_IMPLEMENTED = 1, 2, 6, 9


class RuntimeFault(Exception):
    """ONNX Runtime did not do what it was asked for; `code` is one of CODES."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"[ONNXRuntimeError] : {code} : {CODES.get(code, 'UNKNOWN')} : {message}")
        self.code = code


class RuntimeMissing(Exception):
    """No ONNX Runtime can be had in this process; its text says why."""
