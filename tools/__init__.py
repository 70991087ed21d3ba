"""The agents' tools: one folder an agent, with the same files."""
