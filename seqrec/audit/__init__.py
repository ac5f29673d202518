"""Audit a log: what its numbers say about the results that can be had from it."""
