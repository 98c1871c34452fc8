"""What is known of AWS's services, as AWS documents it."""
