"""Models that other frameworks exported as ONNX."""
