"""The registry of learned artefacts: what is kept, who serves, what is refused, and what a killed import leaves."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
import pytest_asyncio

from shopfloor.errors import ArtefactRejectedError, NotFoundError, StoreError
from shopfloor.store.artefact_files import ABANDONED_S, MANIFEST, Manifest, read_artefact, verify_artefact
from shopfloor.store.artefacts import ChampionWatch, Registry
from shopfloor.store.database import Database, connect
from shopfloor.store.migrations import open_state

SOURCE = "5" * 64


@pytest_asyncio.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    path = tmp_path / "state.db"
    open_state(path)
    async with Database(path) as state:
        yield Registry(state, tmp_path / "artefacts")


def weights(folder: Path, text: str, name: str = "adapter.gguf") -> dict[str, Path]:
    path = folder / f"{text}.gguf"
    path.write_bytes(text.encode() * 1000)
    return {name: path}


async def add(registry: Registry, tmp_path: Path, text: str, agent: str = "recommendation") -> str:
    manifest = Manifest(agent, "lora", SOURCE, metrics={"ndcg@10": 0.5}, feedback=("f1", "f2"))
    return await registry.add(manifest, weights(tmp_path, text))


async def test_what_was_added_is_kept_as_it_was(registry: Registry, tmp_path: Path) -> None:
    shares: list[float] = []
    manifest = Manifest(
        agent="router",
        kind="head",
        source_hash=SOURCE,
        parent="a" * 64,
        licence="apache-2.0",
        dataset_hash="d" * 64,
        feedback=("f1",),
        recipe={"rank": 8, "targets": ["q"]},
        metrics={"accuracy": 0.9},
    )
    files = {**weights(tmp_path, "one"), **weights(tmp_path, "two", "card.json")}
    name = await registry.add(manifest, files, progress=shares.append)
    assert shares == sorted(shares) and shares[-1] == 1.0
    artefact = await registry.get(name[:8])
    assert artefact.folder == registry.folder / name and artefact.hash == name
    assert (artefact.state, artefact.pinned, artefact.parent) == ("candidate", False, "a" * 64)
    assert artefact.metrics == {"accuracy": 0.9}
    assert await registry.manifest(name) == manifest
    assert (artefact.folder / "card.json").read_bytes() == files["card.json"].read_bytes()
    assert await registry.add(manifest, files) == name
    assert [one.hash for one in await registry.list()] == [name]
    assert not list(registry.folder.glob(".making-*"))


async def test_what_was_changed_on_disk_is_found(registry: Registry, tmp_path: Path) -> None:
    name = await add(registry, tmp_path, "one")
    folder = (await registry.verify(name)).folder
    (folder / "adapter.gguf").write_bytes(b"other")
    with pytest.raises(ArtefactRejectedError, match="damaged"):
        await registry.verify(name)
    assert await add(registry, tmp_path, "one") == name  # adding it again mends it
    assert verify_artefact(folder)[0].agent == "recommendation"
    (folder / MANIFEST).write_text("{}")
    with pytest.raises(ArtefactRejectedError, match="manifest"):
        read_artefact(folder)
    (folder / MANIFEST).unlink()
    with pytest.raises(ArtefactRejectedError, match="gone"):
        await registry.manifest(name)


@pytest.mark.parametrize(
    ("manifest", "name", "reason"),
    [
        (Manifest("recommendation", "lora"), "adapter.pkl", "runs code"),
        (Manifest("recommendation", "lora"), "adapter.bin", "runs code"),
        (Manifest("recommendation", "lora"), "../adapter.gguf", "file's name"),
        (Manifest("recommendation", "lora"), MANIFEST, "file's name"),
        (Manifest("Recommendation/..", "lora"), "adapter.gguf", "agent's name"),
        (Manifest("recommendation", "soup"), "adapter.gguf", "no kind"),  # type: ignore[arg-type]
        (Manifest("recommendation", "lora", "abc"), "adapter.gguf", "SHA-256"),
    ],
)
async def test_what_is_not_taken(
    registry: Registry, tmp_path: Path, manifest: Manifest, name: str, reason: str
) -> None:
    with pytest.raises(ArtefactRejectedError, match=reason):
        await registry.add(manifest, weights(tmp_path, "one", name))
    assert await registry.list() == []


async def test_size_and_number_are_limited(registry: Registry, tmp_path: Path) -> None:
    large = tmp_path / "large.json"
    with large.open("wb") as file:
        file.truncate(17 * 1024**2)
    with pytest.raises(ArtefactRejectedError, match="17 MB; a fusion may have 16 MB"):
        await registry.add(Manifest("recommendation", "fusion"), {"weights.json": large})
    with pytest.raises(ArtefactRejectedError, match="not 0"):
        await registry.add(Manifest("recommendation", "fusion"), {})
    with pytest.raises(ArtefactRejectedError, match="not there"):
        await registry.add(Manifest("recommendation", "fusion"), {"weights.json": tmp_path / "none.json"})


async def test_one_champion_an_agent_and_kind(registry: Registry, tmp_path: Path) -> None:
    one, two = await add(registry, tmp_path, "one"), await add(registry, tmp_path, "two")
    other = await add(registry, tmp_path, "three", agent="inventory")
    assert await registry.champion("recommendation", "lora") is None
    await registry.activate(one)
    await registry.activate(other)
    await registry.activate(two, "better by hand")
    assert (await registry.get(one)).state == "retired"
    champion = await registry.champion("recommendation", "lora")
    assert champion is not None and champion.hash == two
    assert {found.hash for found in await registry.list(state="champion")} == {two, other}
    latest = (await registry.changes())[0]
    assert (latest.action, latest.hash, latest.champion, latest.reason) == ("activate", two, two, "better by hand")
    await registry.set_state(one, "challenger")
    await registry.set_state(one, "champion")
    assert (await registry.get(two)).state == "retired"


async def test_a_second_challenger_takes_the_place_of_the_first(registry: Registry, tmp_path: Path) -> None:
    one = await add(registry, tmp_path, "one")
    await registry.set_state(one, "challenger")
    manifest = Manifest("recommendation", "lora", SOURCE)
    two = await registry.add(manifest, weights(tmp_path, "two"), state="challenger")
    assert ((await registry.get(one)).state, (await registry.get(two)).state) == ("candidate", "challenger")


async def test_rolling_back_goes_through_all_that_served(registry: Registry, tmp_path: Path) -> None:
    one, two = await add(registry, tmp_path, "one"), await add(registry, tmp_path, "two")
    for name in (one, two, one):
        await registry.activate(name)
    back: list[str | None] = []
    for _ in range(3):
        found = await registry.rollback("recommendation", "lora")
        back.append(found and found.hash)
    assert back == [two, one, None]
    with pytest.raises(NotFoundError, match="nothing to roll back"):
        await registry.rollback("recommendation", "lora")
    assert {artefact.state for artefact in await registry.list()} == {"retired"}


async def test_what_was_retired_by_decision_does_not_come_back(registry: Registry, tmp_path: Path) -> None:
    one, two = await add(registry, tmp_path, "one"), await add(registry, tmp_path, "two")
    await registry.activate(one)
    await registry.activate(two)
    await registry.set_state(one, "candidate")
    assert await registry.rollback("recommendation", "lora") is None


async def test_a_pinned_champion_stays(registry: Registry, tmp_path: Path) -> None:
    one, two = await add(registry, tmp_path, "one"), await add(registry, tmp_path, "two")
    await registry.activate(one)
    assert (await registry.pin(one)).pinned
    for refused in (registry.activate(two), registry.rollback("recommendation", "lora")):
        with pytest.raises(ArtefactRejectedError, match="pinned") as caught:
            await refused
        assert caught.value.code == "pinned"
    with pytest.raises(ArtefactRejectedError, match="pinned"):
        await registry.set_state(one, "retired")
    assert not (await registry.pin(one, False)).pinned
    await registry.activate(two)
    await registry.pin(two)
    assert (await registry.erase(two, "forget")).state == "retired"
    assert not (registry.folder / two).exists()
    assert await registry.champion("recommendation", "lora") is None


async def test_hashes_may_be_shortened_but_not_guessed(registry: Registry, tmp_path: Path) -> None:
    name = await add(registry, tmp_path, "one")
    assert (await registry.get(name[:4].upper())).hash == name
    for wrong in ("", "*", name[:3], "zzzz", "0" * 64):
        with pytest.raises(NotFoundError) as caught:
            await registry.get(wrong)
        assert caught.value.matches == (name[:12],)
    added = await registry.add_metrics(name, {"mrr": 0.4, "ndcg@10": 0.6})
    assert added.metrics == {"ndcg@10": 0.6, "mrr": 0.4}


async def test_other_processes_hear_of_it(registry: Registry, tmp_path: Path) -> None:
    watch = ChampionWatch(tmp_path / "state.db", registry.folder)
    assert watch.changed() and not watch.changed()
    name = await add(registry, tmp_path, "one")
    await registry.activate(name)
    assert watch.changed() and not watch.changed()
    number, champions = watch.champions()
    assert number == 2 and [champion.hash for champion in champions] == [name]
    watch.close()


IMPORT = """
import asyncio, sys
from pathlib import Path
from shopfloor.store.artefact_files import Manifest
from shopfloor.store.artefacts import Registry
from shopfloor.store.database import Database

async def main(state, folder, file):
    async with Database(Path(state)) as database:
        def told(share):
            print(share, flush=True)
        registry = Registry(database, Path(folder))
        name = await registry.add(Manifest("recommendation", "lora"), {"a.gguf": Path(file)}, progress=told)
        await registry.activate(name)
        print("done", flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


def killed_after(command: list[str], lines: int) -> None:
    """Run a command, and kill it when it has printed so many lines."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(lines):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)


@pytest.mark.parametrize("at", [0, 4, 7, 8])
async def test_a_killed_import_leaves_nothing_half_live(registry: Registry, tmp_path: Path, at: int) -> None:
    """Killed at the first piece, in the middle, at the last one, and once it is copied."""
    file = tmp_path / "large.gguf"
    file.write_bytes(os.urandom(8 * 1024**2))
    command = [sys.executable, "-c", IMPORT, str(tmp_path / "state.db"), str(registry.folder), str(file)]
    await asyncio.to_thread(killed_after, command, at + 1)
    for artefact in await registry.list():
        await registry.verify(artefact.hash)
    for folder in registry.folder.glob("[0-9a-f]*"):
        verify_artefact(folder)
    name = await registry.add(Manifest("recommendation", "lora"), {"a.gguf": file})
    await registry.activate(name)
    assert (await registry.verify(name)).state == "champion"


async def test_what_killed_imports_left_is_swept_later(registry: Registry, tmp_path: Path) -> None:
    old, new = registry.folder / ".making-old", registry.folder / ".making-new"
    for left in (old, new):
        left.mkdir(parents=True)
    past = time.time() - ABANDONED_S - 10
    os.utime(old, (past, past))
    await add(registry, tmp_path, "one")
    assert not old.exists() and new.exists()


async def test_a_full_disk_is_our_error(registry: Registry, tmp_path: Path) -> None:
    registry.folder.parent.mkdir(exist_ok=True)
    registry.folder.write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="can't be written"):
        await add(registry, tmp_path, "one")
    with closing(connect(tmp_path / "state.db", read_only=True)) as connection:
        assert connection.execute("SELECT count(*) FROM artefact_changes").fetchone()[0] == 0


async def test_two_champions_can_not_be(registry: Registry, tmp_path: Path) -> None:
    one, two = await add(registry, tmp_path, "one"), await add(registry, tmp_path, "two")
    await registry.activate(one)
    with closing(connect(tmp_path / "state.db")) as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute("UPDATE artefacts SET state = 'champion' WHERE hash = ?", (two,))
