"""Networks from ONNX files, as PyTorch and scikit-learn write them."""

from networks.importer.errors import ModelError
from networks.importer.importer import import_onnx, open_token_inputs, reference_model

__all__ = ["ModelError", "import_onnx", "open_token_inputs", "reference_model"]
