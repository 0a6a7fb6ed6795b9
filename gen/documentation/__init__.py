"""The pictures and tables of the documentation, made by commands."""
