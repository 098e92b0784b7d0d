"""ONNX models as weight files, read from the protobuf bytes themselves. `file.OnnxFile` is the reader."""
