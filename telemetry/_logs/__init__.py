"""Runs as log lines and log records."""
