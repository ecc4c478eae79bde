"""An answer in the making."""
