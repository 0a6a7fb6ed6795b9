"""The systolic array: a grid of processing elements between its edges."""
