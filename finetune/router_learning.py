"""Teaches the router from feedback: by its head, by an adapter, or by whichever has something to gain."""

from dataclasses import replace
from typing import Literal, get_args

from shopfloor.errors import ConfigError, InputError, ModelError
from shopfloor.finetune.cycle import Said, TrainResult
from shopfloor.finetune.lora.environment import TrainingFailedError
from shopfloor.finetune.lora.job import LoraRecipe
from shopfloor.finetune.lora_cycle import REHEARSED, LoraCycle
from shopfloor.finetune.router_cycle import RouterCycle
from shopfloor.graph.local_router import TextEncoder
from shopfloor.local_models.head import LinearHead
from shopfloor.settings import Settings
from shopfloor.store.loop import StartedBy

Learn = Literal["auto", "head", "lora"]
LEARN: tuple[Learn, ...] = get_args(Learn)


def check_learn(name: str) -> Learn:
    """What to learn by, by its name.

    Raises:
        InputError: there is none of that name.
    """
    for known in LEARN:
        if known == name:
            return known
    raise InputError(f"--learn {name}: choose {', '.join(LEARN)}.", matches=LEARN)


async def learn_router(
    settings: Settings,
    learn: Learn = "auto",
    *,
    started_by: StartedBy = "command",
    base: LinearHead | None = None,
    encoder: TextEncoder | None = None,
    seed: int = 0,
    shares: bool = False,
    say: Said | None = None,
    lora: LoraRecipe | None = None,
    rehearsed: int = REHEARSED,
) -> TrainResult:
    """Run a cycle; with ``auto`` the head's, and the adapter's where that brought nothing and there is room to gain.

    Args:
        settings: where everything lies.
        learn: auto, head or lora.
        started_by: for the record.
        base: the head that learning starts from; empty: the shipped one.
        encoder: one that is open already; empty: the service's, opened for this.
        seed: of the training.
        shares: what wins is tried on a share of the users first, where its kind can be.
        say: hears what is being done.
        lora: how an adapter is trained.
        rehearsed: hand-written messages that an adapter learns beside the dataset's.

    Raises:
        ShopfloorError: as the cycle says; with ``auto`` an adapter that can't be trained here is noted only.
    """
    head = RouterCycle(settings, started_by=started_by, base=base, encoder=encoder, seed=seed, shares=shares, say=say)
    if learn == "head":
        return await head.run()
    adapter = LoraCycle(
        settings,
        started_by=started_by,
        base=base,
        encoder=encoder,
        seed=seed,
        shares=shares,
        say=say,
        lora=lora,
        rehearsed=rehearsed,
    )
    if learn == "lora":
        return await adapter.run()
    first = await head.run()
    if first.gate is None or first.status not in {"rejected", "not_enough_evidence"}:
        return first
    if not has_room(first):
        return replace(first, note="The head answers nearly every case rightly: an adapter could show no gain.")
    try:
        second = await adapter.run()
    except (ConfigError, ModelError, TrainingFailedError) as error:
        return replace(first, note=f"No adapter came of it: {error.detail}")
    return second if second.gate is not None or second.note is None else replace(first, note=second.note)


def has_room(result: TrainResult) -> bool:
    """Whether the gate's cases could show a gain at all: what serves is wrong by more than they can detect."""
    if result.gate is None:
        return False
    main = result.gate["suites"][0]
    return bool(1.0 - float(main["champion"]) > float(main["mde"]))
