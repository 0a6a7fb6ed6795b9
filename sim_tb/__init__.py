"""Testbenches and tests; its folders mirror those of the source."""
