"""Imports a shop (CSV, JSONL, Parquet or SQLite tables) into a catalogue database.

Everything happens in one transaction: readers of a running service see the old catalogue until it commits, and a
failed or killed import changes nothing. Rows that can't be used are reported and don't stop the good ones; a second
import updates. Image files, nested JSON documents and spreadsheets are not read.
"""

from shopfloor.store.importer.report import FileReport, ImportReport, Issue, Progress
from shopfloor.store.importer.run import ImportOptions, import_shop

__all__ = ["FileReport", "ImportOptions", "ImportReport", "Issue", "Progress", "import_shop"]
