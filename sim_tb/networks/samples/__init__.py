"""Tests of the networks that come with this project."""
