"""The installed package: rules and commands lie here; setup adds components and handlers, which lie at the top."""
