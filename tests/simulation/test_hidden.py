"""The demo shop's hidden tastes: the simulation and the shop's generator read them, nothing else does."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "shopfloor"
MAY_READ = ("demo", "simulation")
LINKED = ("graph", "tools", "local_models", "finetune")
HIDING = {"params", "taste", "shoppers", "history", "generate", "stock", "hidden"}


def imported(path: Path) -> set[str]:
    """Full names of the modules and members that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update(f"{node.module}.{one.name}" for one in node.names)
    return names


def test_no_other_module_imports_or_names_the_hidden_tastes() -> None:
    files = [path for path in PACKAGE.glob("*/**/*.py") if path.relative_to(PACKAGE).parts[0] not in MAY_READ]
    for linked in LINKED:  # links in the package, which a search does not follow
        files += (PACKAGE.parent / linked).rglob("*.py")
    looked_at = {path.resolve() for path in [*files, *PACKAGE.glob("*.py")]}
    assert len(looked_at) > 250
    for path in looked_at:
        text = path.read_text(encoding="utf-8")
        assert "tastes.json" not in text and "load_params" not in text, path
        for name in imported(path):
            parts = name.split(".")
            assert parts[:2] != ["shopfloor", "demo"] or not HIDING & set(parts[2:]), f"{path} imports {name}"


def test_only_commands_that_measure_import_the_simulation() -> None:
    allowed = (PACKAGE / "cli" / "simulate.py", PACKAGE / "bench" / "train_replay.py")
    for path in PACKAGE.rglob("*.py"):
        if path.relative_to(PACKAGE).parts[0] != "simulation" and path not in allowed:
            assert not any(name.startswith("shopfloor.simulation") for name in imported(path)), path
