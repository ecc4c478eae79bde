"""Programs that tests run in processes of their own, and what the command is given by name."""
