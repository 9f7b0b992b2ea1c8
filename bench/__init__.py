"""Benchmarks: ratios to named peers and fractions of limits, measured in one run."""
