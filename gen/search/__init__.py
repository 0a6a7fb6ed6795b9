"""Search over what an accelerator is built of and what it is told at run time, by their costs."""
