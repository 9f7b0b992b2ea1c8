"""Patients: what the clinical applications share."""
