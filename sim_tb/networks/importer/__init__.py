"""Tests of the import of ONNX models."""
