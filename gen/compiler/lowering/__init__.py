"""Each operation of a network as steps of the accelerator."""
