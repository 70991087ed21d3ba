"""``shopfloor models fit`` and ``accept``: which models fit this machine, and whose licences were accepted."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shopfloor.cli import EXIT_FAILED, print_json
from shopfloor.settings import load_settings

if TYPE_CHECKING:
    from shopfloor.local_models.fit import Candidate, Chosen, Fit
    from shopfloor.local_models.hardware import Hardware

WIDTH = 110  # of the table where the output is no terminal

FIT_HELP = """Measure this machine, and say which models fit it, how fast they will be, and which to take.

\b
Examples:
  shopfloor models fit
  shopfloor models fit --profile m1-8gb --json
  shopfloor models fit --model /models/qwen3-1.7b-q4_k_m.gguf
"""
ACCEPT_HELP = """Accept a licence that restricts a model's use, e.g. gemma or stability. Without a name: show them.

\b
Example: shopfloor models accept gemma
"""


def fit(
    profile: Annotated[str | None, typer.Option("--profile", help="only the models of this profile [auto]")] = None,
    model: Annotated[
        Path | None, typer.Option("--model", help="only this one: a GGUF file or a folder (SHOPFLOOR_MODEL)")
    ] = None,
    estimate: Annotated[bool, typer.Option("--estimate", help="no measurements: speeds from memory bandwidth")] = False,
    models: Annotated[Path | None, typer.Option("--models", help="folder of model files (SHOPFLOOR_MODELS)")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Ends with 1 when nothing fits."""
    from rich.console import Console

    from shopfloor.local_models.fit import fit as find_fit
    from shopfloor.local_models.fit import kinds_of, measured_profiles
    from shopfloor.local_models.fit_files import read_disk_model
    from shopfloor.local_models.fit_speed import probe
    from shopfloor.local_models.hardware import read_hardware
    from shopfloor.local_models.licences import accepted_licences

    settings = load_settings(profile=profile, models=models, model=model)
    disk = read_disk_model(settings.model) if settings.model is not None else None
    with Console(stderr=True).status("Reading the hardware ..."):
        hardware = read_hardware()
    kinds = kinds_of(measured_profiles(hardware, settings.profile))
    if disk is not None:
        kinds = frozenset(tensor.kind for tensor in disk.tensors if len(tensor.shape) > 1)
    rates = None
    if kinds and not estimate:
        with Console(stderr=True).status("Measuring how fast it reads each form (some seconds) ..."):
            rates = probe(kinds, settings.model_threads or hardware.cores)
    found = find_fit(
        hardware,
        rates=rates,
        profile=settings.profile,
        accepted=accepted_licences(settings),
        slots=settings.model_slots,
        context=settings.model_ctx,
        disk=disk,
    )
    if as_json:
        print_json(_as_json(found))
    else:
        _print(found)
    if found.chosen is None:
        raise typer.Exit(EXIT_FAILED)


def accept(
    name: Annotated[str | None, typer.Argument(help="the licence, or a model that has it")] = None,
    models: Annotated[Path | None, typer.Option("--models", help="folder of model files (SHOPFLOOR_MODELS)")] = None,
) -> None:
    """Remember it in the models folder."""
    from shopfloor.local_models.licences import accept as remember
    from shopfloor.local_models.licences import accepted_licences, restrictive_licences

    settings = load_settings(models=models)
    if name is not None:
        licence = remember(name, settings.models_path)
        typer.echo(f"Accepted: {licence.name} ({licence.note}).")
        return
    accepted = accepted_licences(settings)
    for licence in restrictive_licences():
        state = "accepted" if licence.key in accepted else "not accepted"
        typer.echo(f"{licence.key:10} {state:13} {licence.name}: {licence.note}")


def _as_json(found: "Fit") -> dict[str, object]:
    return {
        "hardware": _hardware(found.hardware),
        "candidates": [_candidate(candidate) for candidate in found.candidates],
        "chosen": {} if found.chosen is None else _chosen(found.chosen),
    }


def _hardware(hardware: "Hardware") -> dict[str, object]:
    gpu = hardware.gpu
    return {
        "system": hardware.system,
        "machine": hardware.machine,
        "cpu": hardware.cpu,
        "cores": hardware.cores,
        "memory_mb": round(hardware.memory / 1e6),
        "available_mb": round(hardware.available / 1e6),
        "bandwidth_gb_s": round(hardware.bandwidth / 1e9, 1),
        "unified": hardware.unified,
        "gpu": None if gpu is None else {"name": gpu.name, "memory_mb": round(gpu.memory / 1e6)},
        "notes": list(hardware.notes),
    }


def _candidate(candidate: "Candidate") -> dict[str, object]:
    return {
        "agent": candidate.agent,
        "profile": candidate.profile,
        "model": candidate.model.name,
        "form": candidate.form,
        "licence": candidate.model.licence.name,
        "context": candidate.load.context,
        "slots": candidate.load.slots,
        "memory_mb": round(candidate.need.total / 1e6),
        "training_mb": round(candidate.training / 1e6),
        "tokens_per_second": round(candidate.speed.answer, 1),
        "prompt_tokens_per_second": round(candidate.speed.prompt, 1),
        "measured": candidate.speed.measured,
        "fits": candidate.fits,
        "reason": candidate.reason,
    }


def _chosen(chosen: "Chosen") -> dict[str, object]:
    return {
        "profile": chosen.profile,
        "runtime": chosen.runtime,
        "agents": {
            agent: {"model": candidate.model.name, "form": candidate.form} for agent, candidate in chosen.models.items()
        },
        "memory_mb": round(chosen.needed / 1e6),
        "limit_mb": round(chosen.limit / 1e6),
        "reason": chosen.reason,
        "run": chosen.command,
    }


def _print(found: "Fit") -> None:
    from rich.console import Console
    from rich.table import Table

    hardware = found.hardware
    gpu = f", {hardware.gpu.name} with {hardware.gpu.memory / 1e9:.1f} GB" if hardware.gpu is not None else ""
    unified = " of unified memory" if hardware.unified else " of memory"
    title = (
        f"{hardware.cpu}, {hardware.cores} cores, {hardware.available / 1e9:.1f} of {hardware.memory / 1e9:.1f} GB"
        f"{unified} available, {hardware.bandwidth / 1e9:.0f} GB/s{gpu}"
    )
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    console.print(title, soft_wrap=True)
    table = Table()
    for name in ("profile", "agent", "model", "form"):
        table.add_column(name, no_wrap=True)
    for name in ("MB", "answer/s", "prompt/s", "train MB"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("fits")
    for candidate in found.candidates:
        about = "" if candidate.speed.measured else "~"
        table.add_row(
            candidate.profile,
            candidate.agent,
            candidate.model.name,
            candidate.form,
            f"{candidate.need.total / 1e6:.0f}",
            f"{about}{candidate.speed.answer:.0f}",
            f"{about}{candidate.speed.prompt:.0f}",
            f"~{candidate.training / 1e6:.0f}",
            "yes" if candidate.fits else "no",
        )
    console.print(table)
    for line in dict.fromkeys(f"{candidate.model.name}: {candidate.reason}." for candidate in found.candidates):
        console.print(line, soft_wrap=True, highlight=False)
    for note in hardware.notes:
        console.print(f"Note: {note}.", soft_wrap=True)
    chosen = found.chosen
    if chosen is None:
        console.print("Nothing fits: close other programs, or set SHOPFLOOR_MODEL_SLOTS=1 SHOPFLOOR_MODEL_CTX=1024.")
        return
    models = ", ".join(f"{candidate.model.name} for {agent}" for agent, candidate in chosen.models.items())
    console.print(
        f"Choice: {chosen.profile}, {models}: {chosen.needed / 1e6:.0f} of {chosen.limit / 1e6:.0f} MB; {chosen.reason}.",
        soft_wrap=True,
    )
    console.print(f"Run: {chosen.command}", soft_wrap=True)
