"""Aligned reads as arrays: counts at each position, and fragments laid on the reference.

`alignments.open_reads` opens a file, `records` of it gives a region, `pileup.pileup` counts, and
`rows.fragment_rows` lays. Nothing here knows tasks or tables.
"""
