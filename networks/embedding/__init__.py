"""A recommender with embedding tables, in floating point and in the integers of the hardware."""
