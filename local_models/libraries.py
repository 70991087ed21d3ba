"""Imports libraries that live in an environment of their own; their types are unknown where they are not installed."""

import importlib
from typing import Any

from shopfloor.errors import ConfigError


def library(name: str, user: str, mending: str) -> Any:
    """Import a library that only ``user`` needs (a runtime, a training).

    Raises:
        ConfigError: it is not installed; ``mending`` says what to do.
    """
    try:
        return importlib.import_module(name)
    except (ImportError, OSError, RuntimeError) as error:  # a library of the system may be missing below it
        raise ConfigError(f"{user} needs the library {name} ({error}): {mending}") from error
