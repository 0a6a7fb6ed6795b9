"""Post-training methods that choose the integers of a network, each for the same hardware."""
