"""What is set up here, and whether it works."""
