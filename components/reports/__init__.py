"""Reports that are stored on a schedule."""
