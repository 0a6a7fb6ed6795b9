"""The programs that other rooms run: Yosys, Verilator, the C++ compiler."""
