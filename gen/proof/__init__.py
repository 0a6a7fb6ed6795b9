"""Proofs about the emitted Verilog, one argument per file; ``docs/proofs.md`` joins them."""
