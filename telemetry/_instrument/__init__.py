"""Tracing of a whole process."""
