"""Facts about AWS services, from AWS's documentation."""
