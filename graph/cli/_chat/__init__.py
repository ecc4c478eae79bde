"""`nodespan chat`."""
