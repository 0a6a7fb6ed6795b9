"""Trained networks as integers: calibration, quantization, and the arithmetic of their products."""
