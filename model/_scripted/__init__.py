"""Answers that are written beforehand."""
