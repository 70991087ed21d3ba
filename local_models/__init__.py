"""Local language models: one protocol, one implementation a file."""
