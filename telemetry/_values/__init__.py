"""Any Python value as data that a signal can carry."""
