"""Networks as graphs of floating-point operations, images channels-last."""
