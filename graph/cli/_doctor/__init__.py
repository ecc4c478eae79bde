"""Whether all is well: `nodespan doctor`."""
