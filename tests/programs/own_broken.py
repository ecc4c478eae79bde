"""A module that a user of the command might have, and which cannot be imported."""

raise RuntimeError("the cat is out")
