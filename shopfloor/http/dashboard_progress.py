"""How far a training under way is, by the small file that it keeps in its run's folder."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from shopfloor.local_models.locking import is_held

PROGRESS_FILE = "progress.json"
LOCK_FILE = "train.lock"
PAUSE_FILE = "pause"
STALE = timedelta(minutes=5)


class Progress(BaseModel):
    """How far: ``eta_s`` seconds are left, about; ``paused`` while it makes room for shoppers."""

    step: int = Field(ge=0)
    steps: int = Field(ge=1)
    eta_s: float | None = None
    loss: float | None = None
    memory_mb: float | None = None
    paused: bool = False
    at: datetime


def read_progress(data: Path, run_id: str) -> Progress | None:
    """What a run's trainer said last; None where it says nothing, or fell silent long ago."""
    folder = data / "runs" / run_id
    try:
        found = Progress.model_validate_json((folder / PROGRESS_FILE).read_bytes())
    except (OSError, ValidationError):
        return None
    said_at = found.at if found.at.tzinfo else found.at.replace(tzinfo=UTC)
    if datetime.now(UTC) - said_at > STALE:
        return None
    return found.model_copy(update={"paused": found.paused or (folder / PAUSE_FILE).exists()})


def progress_marks(data: Path) -> tuple[tuple[str, int], ...]:
    """Changes whenever some run's progress does."""
    marks: list[tuple[str, int]] = []
    for path in data.glob(f"runs/*/{PROGRESS_FILE}"):
        try:
            marks.append((path.parent.name, path.stat().st_mtime_ns))
        except FileNotFoundError:  # it ended just now
            continue
    return tuple(sorted(marks))


def is_training(data: Path) -> bool:
    """Whether some process is training in this data folder."""
    return is_held(data / LOCK_FILE)
