"""What people can set, once."""
