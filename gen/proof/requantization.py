"""Requantization by its definition: knows neither the hardware nor the golden model."""

from gen.proof.rule import divide_half_even


def requantized(product: int, shift: int, zero_point: int, low: int, high: int) -> int:
    """``product / 2**shift``, ties to even, plus ``zero_point``, but from ``low`` to ``high``."""
    return min(high, max(low, divide_half_even(product, shift) + zero_point))


VERILOG = """
  function [7:0] requantized(input signed [63:0] product, input [5:0] shift,
      input [7:0] zero_point, input [7:0] low, input [7:0] high);
    reg signed [63:0] step, quotient, remainder, moved;
    begin
    step = 64'd1 << shift;
    quotient = product >>> shift;
    remainder = product & (step - 1);
    if (2 * remainder > step || (2 * remainder == step && quotient[0])) quotient = quotient + 1;
    moved = quotient + $signed({56'd0, zero_point});
    requantized = moved;
    if (moved < $signed({56'd0, low})) requantized = low;
    if (moved > $signed({56'd0, high})) requantized = high;
    end
  endfunction
"""
"""The same as a function of a module."""
