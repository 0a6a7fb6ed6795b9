"""The accelerator: from activations in banks to slices, and from results back to the banks."""
