"""Tests of evaluation: data, settings, accuracies."""
