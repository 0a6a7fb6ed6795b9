"""Tests of the repository itself: its imports, dependencies, licences and documentation."""
