"""Processing elements: one contract, interchangeable in every array."""
