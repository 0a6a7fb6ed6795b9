"""Flights from New York in 2013: will one arrive late? A recommender with embedding tables."""
