"""What happens: the functions that run in Lambda. Importing one touches neither AWS nor the environment."""
