"""What a unit multiplies and how: operand codes, partial products, biases."""
