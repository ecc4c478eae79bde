"""Providers and exporters of a process."""
