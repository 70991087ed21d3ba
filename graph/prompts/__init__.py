"""Prompt and reply texts, read as package data."""

from functools import cache
from importlib import resources


@cache
def load_prompt(name: str) -> str:
    """A prompt's text by its file name without the ending."""
    return (resources.files("shopfloor.graph.prompts") / f"{name}.md").read_text(encoding="utf-8")
