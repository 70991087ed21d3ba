"""Prompt and reply texts, read as package data."""

import tomllib
from functools import cache
from importlib import resources


@cache
def load_prompt(name: str) -> str:
    """A prompt's text by its file name without the ending."""
    return (resources.files("shopfloor.graph.prompts") / f"{name}.md").read_text(encoding="utf-8")


@cache
def load_slips() -> dict[str, str]:
    """Short misspelt words and what they stand for."""
    text = (resources.files("shopfloor.graph.prompts") / "words.toml").read_text(encoding="utf-8")
    return {str(slip): str(word) for slip, word in tomllib.loads(text)["slips"].items()}


@cache
def load_words(name: str) -> frozenset[str]:
    """A list of words of words.toml by its name."""
    text = (resources.files("shopfloor.graph.prompts") / "words.toml").read_text(encoding="utf-8")
    return frozenset(str(tomllib.loads(text)[name]).split())
