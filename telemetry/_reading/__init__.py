"""What the journal holds, for people and programs that ask."""
