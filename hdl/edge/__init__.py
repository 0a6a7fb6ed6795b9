"""What the edges of a grid do once per row or column: encode, recode, delay, correct."""
