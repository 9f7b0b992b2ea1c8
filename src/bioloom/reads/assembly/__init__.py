"""Genomes from reads: a compact de Bruijn graph of several k, made simpler, and its contigs.

`assemble.assemble` does it; `graph` builds, `simplify` prunes, `figures` judges what came out.
"""
