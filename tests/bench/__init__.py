"""Measurements: ratios of two things done in one run, because these machines are noisy. `make bench` runs them."""
