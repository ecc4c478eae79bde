"""Whose code is executing."""
