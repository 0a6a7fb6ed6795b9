"""Tiles of slices: the handshake, the control and the streams of what multiplies them."""
