"""How fast the golden model, integer networks and the generator are, on this machine."""
