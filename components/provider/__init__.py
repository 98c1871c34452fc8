"""The components for programs in other languages: what the plugin serves, and its schema."""
