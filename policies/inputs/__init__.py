"""Files that resources are read from."""
