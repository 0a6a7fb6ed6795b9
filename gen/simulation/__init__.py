"""The emitted Verilog compiled and run: whole tiles and matrix products."""
