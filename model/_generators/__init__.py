"""Generators that are owned by others, and cross from sync to async and back."""
