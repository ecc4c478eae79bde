"""What the viewer's page shows, read from the journal as plain data."""
