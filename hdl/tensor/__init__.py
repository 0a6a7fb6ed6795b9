"""Tensor cores: grids of dot-product units with broadcast operands, dense and 2:4 sparse."""
