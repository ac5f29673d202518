"""Carries out one run: its device, progress, resume file and record."""
