"""Tests of integer networks."""
