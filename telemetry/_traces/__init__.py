"""Runs as spans."""
