"""One stream's clock."""
