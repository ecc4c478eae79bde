"""What tests and the tools of the documentation share."""
