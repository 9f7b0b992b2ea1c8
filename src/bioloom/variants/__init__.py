"""Variants of aligned reads against a reference: candidates, their likelihoods, and comparison.

Positions are 0-based here, and regions [start, end); files of the field count as they do.
"""
