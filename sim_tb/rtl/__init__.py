"""cocotb benches on the emitted Verilog."""
