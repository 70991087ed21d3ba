"""Rows and training of the head that tells what a message does in a conversation."""
