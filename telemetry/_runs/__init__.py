"""A run's life."""
