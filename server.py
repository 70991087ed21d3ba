"""Placeholder until create_app() lands."""
