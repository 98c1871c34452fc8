"""Settings: how a stack's configuration is read and checked before anything is created."""
