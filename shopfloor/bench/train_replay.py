"""Labelled messages replayed as a shop's reactions: the real cycle learns from some, the others show what it is worth.

Messages of near wordings stay on one side. Those that are withheld are seen by neither training nor gate; each way of deciding
answers all of them, so differences are paired. Everything lies in one folder, and the same command over it goes on where it was.
"""

import asyncio
import random
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from shopfloor.errors import InputError
from shopfloor.evaluation.cases import load_cases
from shopfloor.evaluation.metrics import Floats, bootstrap_mean, paired_difference
from shopfloor.evaluation.nearness import near_groups, nearest
from shopfloor.evaluation.suites.routing import RoutingCase
from shopfloor.finetune.cycle import Said, TrainResult
from shopfloor.finetune.gate.members import Decider, ask, opened_members
from shopfloor.finetune.gate.routing_cases import core_cases
from shopfloor.finetune.lora_cycle import LoraCycle
from shopfloor.finetune.router_cycle import RouterCycle
from shopfloor.graph.local_router import LocalRouter, shipped_head, shorten
from shopfloor.local_models import open_encoder
from shopfloor.local_models.adapter_file import open_adapter
from shopfloor.local_models.artefact_check import ADAPTER_FILE
from shopfloor.local_models.head import LinearHead
from shopfloor.settings import Settings
from shopfloor.simulation.nights import pass_night
from shopfloor.store.catalogue import ensure_catalogue
from shopfloor.store.database import Database
from shopfloor.store.feedback import FeedbackStore, NewFeedback
from shopfloor.store.migrations import open_state
from shopfloor.store.traces import NewTurn, TraceStore, TurnOutcome

Ways = Literal["head", "both"]
NEAR_A_CASE = 0.5
A_USER = 5
DONE = "replayed"


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """What to replay. ``shuffled``: the reactions name routes by chance, so that nothing can be learned."""

    cases: Path
    reactions: int
    folder: Path
    seed: int = 0
    shuffled: bool = False
    learn: Ways = "both"


async def replay(settings: Settings, plan: ReplayPlan, say: Said) -> dict[str, Any]:
    """Feed, learn, measure; the report.

    Raises:
        InputError: the file can't be used, or has too few messages.
        ShopfloorError: as the cycles say.
    """
    told, withheld = await asyncio.to_thread(part, load_cases(plan.cases, RoutingCase), plan.reactions, plan.seed)
    own = settings.model_copy(
        update={"data": plan.folder / "data", "models": settings.models_path.absolute(), "google_api_key": None}
    )
    say(f"{len(told)} messages as reactions, {len(withheld)} withheld")
    if not (plan.folder / DONE).is_file():
        await _feed(own, told, plan)
        (plan.folder / DONE).touch()
    alone = own.model_copy(update={"data": plan.folder / "head"})
    if not alone.data.is_dir():
        await asyncio.to_thread(shutil.copytree, own.data, alone.data)
    results = {"head": await RouterCycle(alone, seed=plan.seed, started_by="automatic", say=say).run()}
    if plan.learn == "both":
        results["lora"] = await LoraCycle(own, seed=plan.seed, started_by="automatic", say=say).run()
    say("measuring on the withheld messages")
    accuracy, gains = await _measure(own, alone, results, withheld, plan.seed)
    return {
        "reactions": len(told),
        "withheld": len(withheld),
        "seed": plan.seed,
        "shuffled": plan.shuffled,
        "cycles": {name: result.to_json() for name, result in results.items()},
        "accuracy": accuracy,
        "gains": gains,
    }


def part(cases: Sequence[RoutingCase], count: int, seed: int) -> tuple[list[RoutingCase], list[RoutingCase]]:
    """Messages to react to, and those withheld: near wordings on one side, none withheld that is near a case of the gate.

    Raises:
        InputError: there are too few.
    """
    groups: dict[int, list[RoutingCase]] = {}
    for case, group in zip(cases, near_groups([case.text for case in cases]), strict=True):
        groups.setdefault(group, []).append(case)
    names = sorted(groups)
    random.Random(seed).shuffle(names)
    told: list[RoutingCase] = []
    kept: list[RoutingCase] = []
    for name in names:
        (told if len(told) + len(groups[name]) <= count else kept).extend(groups[name])
    asked = nearest([case.text for case in kept], [case.text for case in core_cases()]) if kept else []
    withheld = [case for case, near in zip(kept, asked, strict=True) if near < NEAR_A_CASE]
    if len(told) < count or not withheld:
        raise InputError(f"{len(cases)} messages are too few for {count} reactions and some to measure by.")
    return told, withheld


async def _feed(own: Settings, told: Sequence[RoutingCase], plan: ReplayPlan) -> None:
    """Turns as the shipped router decided them, and the owner's word on each."""
    shutil.rmtree(own.data, ignore_errors=True)
    own.data.mkdir(parents=True)
    await asyncio.to_thread(open_state, own.state_path)
    catalogue_path = await asyncio.to_thread(ensure_catalogue, own)
    labels = [case.label for case in told]
    if plan.shuffled:
        random.Random(f"shuffled {plan.seed}").shuffle(labels)
    router = LocalRouter(await asyncio.to_thread(lambda: shipped_head().text_twin()), None)
    users = max(1, len(told) // A_USER)
    async with Database(own.state_path) as state, Database(catalogue_path) as catalogue:
        traces, feedback = TraceStore(state), FeedbackStore(state, catalogue)
        for number in range(users):  # accounts that have been there before
            await _turn(traces, f"visit{number}", f"user{number}", "hello", router)
        for day in (1, 2):
            await asyncio.to_thread(pass_night, own.state_path, day)
        for number, (case, label) in enumerate(zip(told, labels, strict=True)):
            user = f"user{number % users}"
            await _turn(traces, f"turn{number}", user, case.text, router)
            correction = {"kind": "route", "route": label}
            await feedback.add(
                NewFeedback(user_id=user, trace_id=f"turn{number}", correction=correction, source="owner")
            )


async def _turn(traces: TraceStore, trace: str, user: str, text: str, router: LocalRouter) -> None:
    decided = await router.decide(text)
    await traces.start_turn(NewTurn(trace, f"thread-{user}", user, "replay", text))
    await traces.finish_turn(trace, TurnOutcome("replayed", decided.route, decided.decided_by, decided.confidence))


async def _measure(
    own: Settings, alone: Settings, results: Mapping[str, TrainResult], cases: Sequence[RoutingCase], seed: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    texts = [shorten(case.text) for case in cases]
    base = await asyncio.to_thread(shipped_head)
    deciders = {"base": Decider(base)}
    async with AsyncExitStack() as stack:
        encoder = await open_encoder(own)
        stack.push_async_callback(encoder.close)
        vectors = await encoder.embed(texts)
        learned = alone.data / "runs" / str(results["head"].run_id) / "head"
        if learned.is_dir():
            deciders["head"] = Decider(await asyncio.to_thread(LinearHead.load, learned))
        made = _adapter(own, results.get("lora"))
        if made is not None:
            adapter = replace(open_adapter(made), folder=made.parent)
            member = (await stack.enter_async_context(opened_members(own, {"lora": adapter})))["lora"]
            for name in list(deciders):
                deciders[f"{name} and adapter"] = await ask(deciders[name].head, member, "lora", texts, vectors)
        right = {name: _right(one, cases, texts, vectors) for name, one in deciders.items()}
    accuracy = {name: [float(found.mean()), *bootstrap_mean(found, seed=seed)] for name, found in right.items()}
    names = list(right)
    pairs = [(one, other) for other in ("base", "head") if other in names for one in names[names.index(other) + 1 :]]
    gains = {
        f"{one} over {other}": list(paired_difference(right[one], right[other], seed=seed)) for one, other in pairs
    }
    return accuracy, gains


def _adapter(own: Settings, result: TrainResult | None) -> Path | None:
    if result is None or result.run_id is None:
        return None
    path = own.data / "runs" / result.run_id / "made" / ADAPTER_FILE
    return path if path.is_file() else None


def _right(one: Decider, cases: Sequence[RoutingCase], texts: Sequence[str], vectors: Any) -> Floats:
    found = [one.probabilities(text, vector) for text, vector in zip(texts, vectors, strict=True)]
    return np.array([float(one.labels[int(p.argmax())] == case.label) for p, case in zip(found, cases, strict=True)])
