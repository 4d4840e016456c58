"""Writing ONNX: tensors, tables of columns, and the arithmetic that families share."""
