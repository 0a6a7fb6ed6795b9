"""The compiled kernel of integer networks: layers on arrays, in C++."""
