"""Turns raw files into one verified, compact log of interactions."""
