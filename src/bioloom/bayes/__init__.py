"""Bayesian networks of discrete fields: what they consist of, and exact inference with them."""
