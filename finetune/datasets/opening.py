"""What ``shopfloor dataset build`` needs around :func:`build_dataset`: databases, the head's guesses, the chat template."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from shopfloor.errors import ConfigError
from shopfloor.finetune.datasets.build import BuildPlan, Built, build_dataset
from shopfloor.finetune.datasets.formats import OF_PROFILE, Format, Template
from shopfloor.finetune.datasets.routes import Guess, Guesser
from shopfloor.finetune.datasets.rows import Agent
from shopfloor.finetune.gate.routing_cases import core_cases
from shopfloor.graph.local_router import LocalRouter
from shopfloor.local_models.files import find_model, open_model_file
from shopfloor.local_models.head import LinearHead
from shopfloor.local_models.profiles import choose
from shopfloor.settings import Settings
from shopfloor.store.catalogue import ensure_catalogue
from shopfloor.store.migrations import open_state

CHATML = "<|im_start|>"


def open_and_build(settings: Settings, agent: Agent, form: Format | None = None) -> Built:
    """Build an agent's dataset from the shop's own databases (blocking).

    Args:
        settings: where the databases and the model lie.
        agent: whose dataset.
        form: empty: what the profile's trainer reads.

    Raises:
        ConfigError: ``text`` for a base whose template needs Jinja, which is not installed.
        ModelMissingError: ``text`` without the base model's file.
        StoreError: a database can't be opened.
    """
    open_state(settings.state_path)
    catalogue = ensure_catalogue(settings)
    form = form or OF_PROFILE.get(choose(settings).profile.name, "messages")
    plan = BuildPlan(
        agent=agent,
        form=form,
        gate_texts=[case.text for case in core_cases()] if agent == "router" else (),
        guess=guesser(settings) if agent == "router" else None,
        template=chat_template(settings) if form == "text" else None,
    )
    return build_dataset(settings.state_path, catalogue, settings.data, plan)


def guesser(settings: Settings) -> Guesser:
    """What the router's head says of texts, by their words alone: reading thousands of turns must cost seconds."""

    def guess(texts: Sequence[str]) -> list[Guess]:
        if not texts:
            return []
        return guesses_of(LocalRouter.open(settings, None).head, texts)

    return guess


def guesses_of(head: LinearHead, texts: Sequence[str]) -> list[Guess]:
    """A head's guesses by the words alone."""
    found = [head.probabilities(text, None) for text in texts]
    return [Guess(head.card.labels[int(np.argmax(one))], float(one.max())) for one in found]


def chat_template(settings: Settings) -> Template:
    """The base model's chat template as a function.

    Raises:
        ConfigError: it needs Jinja, which is not installed.
        ModelMissingError: there is no model file.
    """
    path: Path = find_model(settings)
    source = open_model_file(path, settings.models_path).header.text("tokenizer.chat_template")
    try:
        from jinja2.sandbox import ImmutableSandboxedEnvironment  # pyright: ignore[reportMissingImports, reportUnknownVariableType]
    except ModuleNotFoundError:
        if CHATML not in source:
            raise ConfigError(
                "The base model's chat template needs Jinja: `pip install jinja2`, or --format messages."
            ) from None
        return lambda messages: "".join(
            f"{CHATML}{one['role']}\n{one['content']}<|im_end|>\n" for one in (*_greeting(source), *messages)
        )
    template = ImmutableSandboxedEnvironment().from_string(source)  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    return lambda messages: str(template.render(messages=list(messages)))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]


def _greeting(template: str) -> list[dict[str, str]]:
    """The system message that a ChatML template puts in front where there is none."""
    for start in (f"{CHATML}system\n", f"{CHATML}system\\n"):
        if start in template:
            return [{"role": "system", "content": template.split(start, 1)[1].split("<|im_end|>")[0]}]
    return []
