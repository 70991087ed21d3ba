"""``shopfloor adapters``: what was learned, and which of it serves."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

import typer

from shopfloor.cli import print_json
from shopfloor.errors import ArtefactRejectedError, InputError
from shopfloor.settings import Settings, load_settings

if TYPE_CHECKING:
    import sqlite3

    from shopfloor.store.artefact_files import Kind
    from shopfloor.store.artefacts import Artefact, Registry
    from shopfloor.store.rollouts import Rollout

T = TypeVar("T")
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Name = Annotated[str, typer.Argument(metavar="HASH", help="Its hash, or the first digits of it.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, for the log of decisions.")]
KIND_NAMES = ("lora", "head", "fusion")

ACTIVATE_HELP = """Let an artefact serve; running services take it up within a second, without a stop.

Example: shopfloor adapters activate 3f9a
"""


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    group = typer.Typer(no_args_is_help=True, help="Learned artefacts (LoRA adapters, heads, fusion weights).")
    group.command("list", epilog="Example: shopfloor adapters list --agent recommendation --json")(show_all)
    group.command("show", epilog="Example: shopfloor adapters show 3f9a")(show)
    group.command("import", epilog="Example: shopfloor adapters import adapter.gguf --agent recommendation")(bring_in)
    group.command("activate", help=ACTIVATE_HELP)(activate)
    group.command("rollback", epilog="Example: shopfloor adapters rollback recommendation --kind lora")(rollback)
    group.command("pin", epilog="Example: shopfloor adapters pin 3f9a")(pin)
    group.command("unpin", epilog="Example: shopfloor adapters unpin 3f9a")(unpin)
    app.add_typer(group, name="adapters")


def show_all(
    agent: Annotated[str | None, typer.Option(help="Only those of this agent.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only lora, head or fusion.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the artefacts, the newest first."""
    chosen = _kind(kind)

    async def read(registry: "Registry") -> "tuple[list[Artefact], list[Rollout]]":
        from shopfloor.store.rollouts import running

        return await registry.list(agent=agent, kind=chosen), await registry.state.read(running)

    found, tried = _with_registry(read)
    shares = {artefact.hash: _share(artefact, tried) for artefact in found}
    if as_json:
        print_json({"adapters": [{**_described(artefact), "share": shares[artefact.hash]} for artefact in found]})
        return
    if not found:
        typer.echo("There are none yet: `shopfloor adapters import` brings one in.", err=True)
        return
    typer.echo(f"{'hash':12}  {'agent':14}  {'kind':6}  {'state':10}  {'users':>5}  {'pinned':6}  created")
    for artefact in found:
        typer.echo(
            f"{artefact.hash[:12]}  {artefact.agent:14}  {artefact.kind:6}  {artefact.state:10}  "
            f"{f'{shares[artefact.hash]} %' if shares[artefact.hash] else '':>5}  {'yes' if artefact.pinned else '':6}  {artefact.created[:16]}"
        )


def show(name: Name, as_json: AsJson = False) -> None:
    """Show one artefact: what it was made from, where it stands, and whether its files are whole."""

    async def read(registry: "Registry") -> dict[str, object]:
        from dataclasses import asdict

        artefact = await registry.get(name)
        described: dict[str, object] = _described(artefact)
        try:
            await registry.verify(artefact.hash)
            described["manifest"] = asdict(await registry.manifest(artefact.hash))
            described["whole"] = True
        except ArtefactRejectedError as error:
            described.update(whole=False, problem=error.detail)
        changes = [change for change in await registry.changes(1000) if change.hash == artefact.hash]
        described["changes"] = [
            {"at": one.at, "action": one.action, "reason": one.reason, "numbers": one.numbers} for one in changes
        ]
        described["trials"] = await registry.state.read(
            lambda connection: _trials(connection, artefact.hash, load_settings())
        )
        described["folder"] = str(artefact.folder)
        return described

    described = _with_registry(read)
    if as_json:
        print_json(described)
        return
    trials, changes = described.pop("trials"), described.pop("changes")
    for key, value in described.items():
        typer.echo(f"{key:12} {value}")
    for trial in cast("list[dict[str, Any]]", trials):
        typer.echo(f"{'trial':12} {trial['share']} % of the users, {trial['status']}: {trial['reason']}")
        for outcome, one in trial["outcomes"].items():
            typer.echo(
                f"{'':12} {outcome}: {one['treated']:.3f} (n {one['n_treated']}) against {one['control']:.3f} "
                f"(n {one['n_control']}), difference {one['diff']:+.3f} [{one['low']:+.3f}, {one['high']:+.3f}]"
            )
    for change in cast("list[dict[str, Any]]", changes):
        typer.echo(f"{'decision':12} {change['at'][:16]} {change['action']}: {change['reason']}")


def _share(artefact: "Artefact", tried: "Sequence[Rollout]") -> int:
    """Percent of the users that an artefact serves."""
    beside = [trial for trial in tried if (trial.agent, trial.kind) == (artefact.agent, artefact.kind)]
    if artefact.state == "champion":
        return 100 - sum(trial.share for trial in beside)
    return sum(trial.share for trial in beside if trial.artefact == artefact.hash)


def _trials(connection: "sqlite3.Connection", name: str, settings: Settings) -> list[dict[str, Any]]:
    """Where an artefact was tried, the newest first; how both sides do now, while it is."""
    from shopfloor.evaluation.rollout import look_at
    from shopfloor.store.rollouts import latest

    found: list[dict[str, Any]] = []
    for trial in latest(connection, name):
        reason, numbers = trial.reason, dict[str, Any]()
        if trial.status == "running":
            _, judgement = look_at(connection, trial, settings)
            reason, numbers = judgement.reason, judgement.numbers()
        found.append(
            {
                "share": trial.share,
                "stages": [*trial.stages, 100],
                "status": trial.status,
                "against": trial.champion,
                "started": trial.started_at,
                "ended": trial.ended_at,
                "reason": reason,
                "outcomes": numbers,
            }
        )
    return found


def bring_in(
    path: Annotated[
        Path, typer.Argument(help="A LoRA in GGUF, a head's folder, fusion weights in JSON, or an artefact.")
    ],
    agent: Annotated[
        str | None,
        typer.Option(help="Whom it serves: recommendation, inventory, router; by its manifest if it has one."),
    ] = None,
    kind: Annotated[str | None, typer.Option(help="lora, head or fusion; found out if not given.")] = None,
    as_json: AsJson = False,
) -> None:
    """Bring an artefact in, as a candidate, after checking that it is whole and fits the model here."""
    from shopfloor.local_models.artefact_check import check_files, find_files
    from shopfloor.local_models.serving import adapter_base

    chosen = _kind(kind)
    settings = load_settings()
    manifest, files = find_files(path, agent, chosen)
    check_files(manifest, files, adapter_base(settings, manifest.agent))

    async def add(registry: "Registry") -> "Artefact":
        return await registry.get(await registry.add(manifest, files, reason="imported", progress=_progress()))

    artefact = _with_registry(add, settings)
    if manifest.kind == "lora" and not manifest.source_hash:
        typer.echo("It does not say which weights it was trained on: only its shapes were checked.", err=True)
    if as_json:
        print_json(_described(artefact))
        return
    typer.echo(f"Imported {artefact.hash[:12]} ({artefact.kind}, for {artefact.agent}), {artefact.state}.")
    if artefact.state != "champion":
        typer.echo(f"It serves after: shopfloor adapters activate {artefact.hash[:12]}", err=True)


def activate(name: Name, reason: Reason = "by command", as_json: AsJson = False) -> None:
    """Check it once more, then let it serve."""
    settings = load_settings()

    async def change(registry: "Registry") -> "Artefact":
        from shopfloor.local_models.artefact_check import check_artefact
        from shopfloor.local_models.serving import adapter_base

        artefact = await registry.get(name)
        base = await asyncio.to_thread(adapter_base, settings, artefact.agent)
        await asyncio.to_thread(check_artefact, artefact.folder, base)
        return await registry.activate(artefact.hash, reason)

    artefact = _with_registry(change, settings)
    _say(artefact, f"{artefact.hash[:12]} serves {artefact.agent} now.", as_json)


def rollback(
    agent: Annotated[str, typer.Argument(help="Whose: recommendation, inventory or router.")],
    kind: Annotated[str, typer.Option(help="lora, head or fusion.")] = "lora",
    reason: Reason = "by command",
    as_json: AsJson = False,
) -> None:
    """Take the latest back: what is being tried on a share of the users, if something is, else what serves an agent.

    Then the one before it serves again, or what came with the package.
    """
    chosen = _kind(kind) or "lora"

    async def change(registry: "Registry") -> "tuple[str | None, Artefact | None]":
        from shopfloor.store.rollouts import running, take_back_by_hand

        trials = await registry.state.read(running)
        if any((trial.agent, trial.kind) == (agent, chosen) for trial in trials):
            trial = await registry.state.write(
                lambda connection: take_back_by_hand(connection, agent, chosen, reason), durable=True
            )
            return trial.artefact, await registry.champion(agent, chosen)
        return None, await registry.rollback(agent, chosen, reason)

    tried, artefact = _with_registry(change)
    if tried is not None and not as_json:
        typer.echo(f"{tried[:12]} is no longer tried: everybody is served as before.")
    elif artefact is not None:
        _say(artefact, f"{artefact.hash[:12]} serves {agent} again.", as_json)
    elif as_json:
        print_json({"hash": None, "agent": agent, "kind": chosen})
    else:
        typer.echo(f"No {chosen} serves {agent} now: it is as it was delivered.")


def pin(name: Name, reason: Reason = "by command", as_json: AsJson = False) -> None:
    """Hold the artefact that serves in its place, until it is unpinned."""
    artefact = _with_registry(lambda registry: registry.pin(name, True, reason))
    _say(artefact, f"{artefact.hash[:12]} is pinned.", as_json)


def unpin(name: Name, reason: Reason = "by command", as_json: AsJson = False) -> None:
    """Let a pinned artefact be replaced again."""
    artefact = _with_registry(lambda registry: registry.pin(name, False, reason))
    _say(artefact, f"{artefact.hash[:12]} is not pinned.", as_json)


def _with_registry(work: "Callable[[Registry], Awaitable[T]]", settings: Settings | None = None) -> T:
    from shopfloor.store.artefacts import Registry
    from shopfloor.store.database import Database
    from shopfloor.store.migrations import open_state

    settings = settings or load_settings()
    open_state(settings.state_path)

    async def run() -> T:
        async with Database(settings.state_path) as state:
            return await work(Registry(state, settings.artefacts_path))

    return asyncio.run(run())


def _kind(name: str | None) -> "Kind | None":
    for known in KIND_NAMES:
        if name == known:
            return known
    if name is not None:
        raise InputError(f"There is no kind {name!r} of artefact.", matches=KIND_NAMES)
    return None


def _described(artefact: "Artefact") -> dict[str, object]:
    return {
        "hash": artefact.hash,
        "agent": artefact.agent,
        "kind": artefact.kind,
        "state": artefact.state,
        "pinned": artefact.pinned,
        "source_hash": artefact.source_hash,
        "parent": artefact.parent,
        "metrics": artefact.metrics,
        "created": artefact.created,
    }


def _say(artefact: "Artefact", sentence: str, as_json: bool) -> None:
    if as_json:
        print_json(_described(artefact))
    else:
        typer.echo(sentence)


def _progress() -> Callable[[float], None] | None:
    if not sys.stderr.isatty():
        return None
    return lambda share: typer.echo(f"\r{share:4.0%}" + ("\n" if share >= 1 else ""), nl=False, err=True)
