"""Turns an experiment file into the full configuration of every run."""
