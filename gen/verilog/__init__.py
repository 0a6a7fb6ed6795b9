"""From a component to plain Verilog and the files beside it."""
