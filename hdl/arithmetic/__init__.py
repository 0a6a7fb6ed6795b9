"""Adders of single bits, and the compression of many addends into one sum."""
