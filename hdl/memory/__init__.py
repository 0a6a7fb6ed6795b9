"""Scratchpads, and what moves data between them and the memory behind an AXI4 port."""
