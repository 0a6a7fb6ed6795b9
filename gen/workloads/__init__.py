"""Workloads of their own kind, measured, and run on the emitted arrays."""
