"""From two activations to one encoded pair: the trim-and-round unit of the paper."""
