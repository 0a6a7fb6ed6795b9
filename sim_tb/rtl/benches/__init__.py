"""cocotb tests, run in the simulator by ``sim_tb.rtl.runner``."""
