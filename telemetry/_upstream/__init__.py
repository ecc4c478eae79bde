"""The names that libraries do not promise to keep, and what happens without them."""
