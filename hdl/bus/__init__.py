"""Ports that systems know: AXI4-Lite, and the registers behind it."""
