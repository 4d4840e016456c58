"""Both ways to ONNX Runtime, held against each other."""
