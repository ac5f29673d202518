"""Turns run records into tables, figures and a web page."""
