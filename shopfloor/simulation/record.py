"""A simulation's folder: its plan, the days done, the visits made. The same command over the same folder goes on.

``plan.json`` what was asked for; ``progress.json`` the days done with their generations; ``visits.jsonl`` one line a
visit; ``data/`` the served shop; ``shop/`` the earlier part of a parted history.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from shopfloor.errors import InputError
from shopfloor.local_models.locking import write_atomically
from shopfloor.simulation.behaviour import World

PLAN, PROGRESS, VISITS = "plan.json", "progress.json", "visits.jsonl"


@dataclass(frozen=True, slots=True)
class SimulationPlan:
    """What is played. ``shop`` is a path; empty: the demo shop. ``share``: of the visits, those
    by dishonest accounts, or in the world of noise those that name a route drawn by chance."""

    days: int
    world: World = "learnable"
    seed: int = 0
    shop: str = ""
    visits: int = 120
    shoppers: int = 80
    withheld: int = 240
    share: float = 0.0
    owner: int = 12
    own_words: float = 0.6
    train_every: int = 50
    rollout: str = "direct"
    learn: str = "head"


@dataclass(slots=True)
class Progress:
    """What has been done. ``generations``: JSON-able, the frozen start first."""

    days: int = 0
    seconds: float = 0.0
    sent: int = 0
    failed: dict[str, int] = field(default_factory=dict[str, int])
    verified: int = 0
    champion: str | None = None
    generations: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    returns: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit that was made. ``wrong`` is whether its shopper was of the ring."""

    day: int
    number: int
    user_id: str
    text: str
    style: str
    asked: str
    answered: str
    trace_id: str
    dishonest: bool
    reactions: int

    @property
    def key(self) -> tuple[int, int]:
        """Which visit."""
        return self.day, self.number


class Record:
    """Reads and writes one folder."""

    def __init__(self, folder: Path, plan: SimulationPlan) -> None:
        """Begin, or take up.

        Raises:
            InputError: another simulation lies there; more days of the same one are fine.
        """
        self.folder = folder
        self.plan = plan
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / PLAN
        if path.is_file():
            known = json.loads(path.read_text(encoding="utf-8"))
            asked = asdict(plan)
            changed = [name for name in asked if name != "days" and known.get(name) != asked[name]]
            if changed:
                raise InputError(
                    f"{folder} holds another simulation ({', '.join(changed)} differ): give --folder another name."
                )
        elif any(folder.iterdir()):
            raise InputError(f"{folder} is not empty and holds no simulation: give --folder another name.")
        write_atomically(path, _json(asdict(plan)))
        self.progress = self._read_progress()
        self.visits = self._read_visits()

    @property
    def data(self) -> Path:
        """The served shop's data folder."""
        return self.folder / "data"

    @property
    def state(self) -> Path:
        """The served shop's state database."""
        return self.data / "state.db"

    def save(self) -> None:
        """Write the progress."""
        write_atomically(self.folder / PROGRESS, _json(asdict(self.progress)))

    def add(self, visit: Visit) -> None:
        """A visit was made and reacted to."""
        self.visits[visit.key] = visit
        with (self.folder / VISITS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(visit), ensure_ascii=False) + "\n")

    def _read_progress(self) -> Progress:
        path = self.folder / PROGRESS
        return Progress(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else Progress()

    def _read_visits(self) -> dict[tuple[int, int], Visit]:
        path = self.folder / VISITS
        if not path.is_file():
            return {}
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):  # killed within a line: that visit is made again
            write_atomically(path, whole)
        visits = [Visit(**json.loads(line)) for line in whole.decode("utf-8").splitlines()]
        return {visit.key: visit for visit in visits}


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
