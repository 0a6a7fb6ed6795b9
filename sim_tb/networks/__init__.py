"""Tests of trained networks: import, quantization, evaluation."""
