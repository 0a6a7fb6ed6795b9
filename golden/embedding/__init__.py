"""Embedding tables in few bits: their ranges, their rows in memory, and how they meet weights."""

from golden.embedding.codebook_table import CodebookTable
from golden.embedding.fold import FRACTION_BITS, fold, pool, requantize_wide
from golden.embedding.row_ranges import ROW_RANGES, asymmetric, greedy, symmetric
from golden.embedding.row_table import RowTable

__all__ = [
    "FRACTION_BITS",
    "ROW_RANGES",
    "CodebookTable",
    "RowTable",
    "asymmetric",
    "fold",
    "greedy",
    "pool",
    "requantize_wide",
    "symmetric",
]
