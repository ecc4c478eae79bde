"""What goes on just now: `nodespan watch`."""
