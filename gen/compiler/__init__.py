"""Trained networks as programs of an accelerator."""
