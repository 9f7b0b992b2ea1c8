"""Readers and writers of one file format each; pure, they know no application."""
