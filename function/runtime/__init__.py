"""ONNX Runtime by its C interface: a library, sessions, tensors; and its Python package instead."""
