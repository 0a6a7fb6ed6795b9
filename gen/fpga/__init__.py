"""Designs on an FPGA, an ECP5: what they take of it, and how fast they are there."""
