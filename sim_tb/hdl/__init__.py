"""Tests of components, simulated by Amaranth."""
