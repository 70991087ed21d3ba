"""Which restrictive model licences were accepted: by the setting, or by ``shopfloor models accept NAME``."""

import json
from pathlib import Path

from shopfloor.errors import InputError
from shopfloor.local_models.locking import exclusive, write_atomically
from shopfloor.local_models.profiles import PROFILES, Licence
from shopfloor.settings import Settings

FILE = "accepted-licences.json"


def restrictive_licences() -> tuple[Licence, ...]:
    """The licences of the profiles' models that have to be accepted."""
    found = [licence for profile in PROFILES for licence in profile.licences if not licence.permissive]
    return tuple(dict.fromkeys(found))


def accepted_licences(settings: Settings) -> frozenset[str]:
    """Keys of the licences accepted by the setting or by the command."""
    return frozenset(settings.accepted_licences) | _read(settings.models_path / FILE)


def accept(name: str, models_path: Path) -> Licence:
    """Remember that a licence was accepted.

    Args:
        name: the licence's key, or the name of a model that has it.
        models_path: folder of model files.

    Raises:
        InputError: nothing restrictive has that name.
    """
    models = [a.model for profile in PROFILES for a in profile.agents.values()]
    by_model = {model.name.lower(): model.licence for model in models}
    by_key = {licence.key: licence for licence in restrictive_licences()}
    licence = by_key.get(name.lower()) or by_model.get(name.lower())
    if licence is None or licence.permissive:
        raise InputError(f"there is no restrictive licence {name!r} to accept", matches=sorted(by_key))
    models_path.mkdir(parents=True, exist_ok=True)
    with exclusive(models_path / f".{FILE}.lock"):
        keys = sorted(_read(models_path / FILE) | {licence.key})
        write_atomically(models_path / FILE, json.dumps(keys).encode())
    return licence


def _read(path: Path) -> frozenset[str]:
    try:
        found: object = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return frozenset()
    return frozenset(str(key) for key in found) if isinstance(found, list) else frozenset()  # pyright: ignore[reportUnknownVariableType,reportUnknownArgumentType]
