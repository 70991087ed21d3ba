"""Imports libraries that live in an environment of their own; their types are unknown where they are not installed."""

import importlib
from typing import Any

from shopfloor.errors import ConfigError


def library(name: str, runtime: str, mending: str) -> Any:
    """Import a library that only one runtime needs.

    Raises:
        ConfigError: it is not installed; ``mending`` says what to do.
    """
    try:
        return importlib.import_module(name)
    except (ImportError, OSError, RuntimeError) as error:  # a library of the system may be missing below it
        raise ConfigError(f"SHOPFLOOR_RUNTIME={runtime} needs the library {name} ({error}): {mending}") from error
