"""What an import did: counts by file, and every row that could not be used as it was, with its line and the reason."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ISSUES_KEPT = 1_000

Progress = Callable[[str, int, int | None], None]
"""Called as ``progress(stage, rows_done, rows_in_all)``; the total is ``None`` where it isn't known."""


@dataclass(frozen=True, slots=True)
class Issue:
    """One row that was left out, or changed on its way in (``kept``).

    ``line`` counts from 1 as a text editor does (the header included); in Parquet and SQLite it is the row.
    """

    file: str
    line: int
    reason: str
    kept: bool = False

    def to_json(self) -> dict[str, str | int | bool]:
        """JSON-able form."""
        return {"file": self.file, "line": self.line, "reason": self.reason, "kept": self.kept}


@dataclass(slots=True)
class FileReport:
    """Rows of one file: ``read`` = ``imported`` + ``rejected``."""

    table: str
    file: str
    read: int = 0
    imported: int = 0
    rejected: int = 0

    def to_json(self) -> dict[str, str | int]:
        """JSON-able form."""
        return {
            "table": self.table,
            "file": self.file,
            "read": self.read,
            "imported": self.imported,
            "rejected": self.rejected,
        }


@dataclass(slots=True)
class IssueLog:
    """Collects issues while an import runs; keeps the first of them and counts all."""

    issues: list[Issue] = field(default_factory=list[Issue])
    notices: list[str] = field(default_factory=list[str])
    rejected: int = 0
    changed: int = 0

    def reject(self, file: FileReport, line: int, reason: str) -> None:
        """The row at ``line`` was left out."""
        self.rejected += 1
        file.rejected += 1
        self._keep(Issue(file.file, line, reason))

    def change(self, file: FileReport, line: int, reason: str) -> None:
        """The row at ``line`` was taken with a change."""
        self.changed += 1
        self._keep(Issue(file.file, line, reason, kept=True))

    def notice(self, sentence: str) -> None:
        """Something about the whole import that a person should know."""
        if sentence not in self.notices:
            self.notices.append(sentence)

    def _keep(self, issue: Issue) -> None:
        if len(self.issues) < ISSUES_KEPT:
            self.issues.append(issue)


@dataclass(frozen=True, slots=True)
class ImportReport:
    """A finished import.

    Attributes:
        counts: rows of each catalogue table afterwards.
        issues: the first 1,000 issues; ``rejected`` and ``changed`` count all of them.
    """

    source: Path
    target: Path
    shop_name: str
    currency: str
    revision: int
    files: list[FileReport]
    counts: dict[str, int]
    issues: list[Issue]
    notices: list[str]
    rejected: int
    changed: int
    seconds: float

    def to_json(self) -> dict[str, object]:
        """JSON-able form, for ``shopfloor import --json``."""
        return {
            "source": str(self.source),
            "target": str(self.target),
            "shop_name": self.shop_name,
            "currency": self.currency,
            "revision": self.revision,
            "files": [file.to_json() for file in self.files],
            "counts": self.counts,
            "rejected": self.rejected,
            "changed": self.changed,
            "issues": [issue.to_json() for issue in self.issues],
            "notices": self.notices,
            "seconds": round(self.seconds, 3),
        }
