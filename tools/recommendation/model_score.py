"""The local model's opinion of each candidate: one batch over a shared prefix, yes against no. Never a generated list."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shopfloor.local_models.runtime import Runtime
from shopfloor.tools.recommendation.cards import Facts
from shopfloor.tools.recommendation.wording import money

LABELS = (" yes", " no")


def scoring_prefix(request: str) -> str:
    """What all candidates of a request share."""
    return f"A customer asks a shop: {' '.join(request.split())[:300]}\nDoes the product fit the request?\n"


def scoring_prompt(facts: Facts) -> str:
    """One candidate: name and a few facts, no description."""
    details = [facts.category or "", *facts.colours[:2], facts.gender or ""]
    if facts.price is not None:
        details.append(money(facts.price, facts.currency))
    known = ", ".join(part for part in details if part)
    return f"Product: {facts.name} ({known})\nAnswer:"


async def model_scores(runtime: Runtime, request: str, candidates: Sequence[Facts]) -> NDArray[np.float64]:
    """Score candidates 0 to 1 among themselves (1: the model's surest yes).

    Raises:
        ModelError: the model can't answer.
    """
    table = await runtime.score([scoring_prompt(facts) for facts in candidates], LABELS, prefix=scoring_prefix(request))
    margin = (table[:, 0] - table[:, 1]).astype(np.float64)
    low, high = float(margin.min()), float(margin.max())
    return (margin - low) / (high - low) if high > low else np.zeros(len(margin), dtype=np.float64)
