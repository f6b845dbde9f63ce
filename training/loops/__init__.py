"""Trainings: the loop, what it trains, and the calibration that ends it."""
