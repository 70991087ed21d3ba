"""The local model's opinion of candidates: one batch over a shared prefix, yes against no. Never a generated list.

Measured with the embedded 135M model on the demo shop: 70 requests of a kind and a soft wish in words that no product
text has ("scarves for meetings with clients"), the ten best of retrieval, right by the shop's attributes, NDCG@5:
retrieval .629; with the model's score at weight .1 .632, .3 .616, .6 .618; the model alone .597; any order .578. So it
does not help, and ``model_ranking=auto`` leaves it out; a larger model has to be measured before it is let in.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shopfloor.local_models.runtime import Runtime
from shopfloor.tools.recommendation.cards import Facts
from shopfloor.tools.recommendation.query import ParsedRequest
from shopfloor.tools.recommendation.usage import ModelUsage

LABELS = (" yes", " no")
MAX_SCORED = 10  # some 18 tokens a candidate: at 400 tokens/s half a second for all of them
DEADLINE_S = 1.0  # later than this the shopper gets the order of retrieval instead
MEASURED_TO_HELP = False  # not shown for the embedded 135M model; switch on only after an ablation over text requests


def needs_opinion(parsed: ParsedRequest) -> bool:
    """Whether a request says anything that facets and words did not settle; else retrieval is sure by itself."""
    return parsed.order is None and bool(set(parsed.terms) - set(parsed.head))


def scoring_prefix(request: str) -> str:
    """What all candidates of a request share."""
    return f"A customer in a shop asks: {' '.join(request.split())[:300]}\nIs the product right for that?\n"


def scoring_prompt(facts: Facts) -> str:
    """One candidate by name and category; never its description."""
    return f"{facts.name}{f', {facts.category}' if facts.category else ''}:"


async def model_scores(
    runtime: Runtime, request: str, candidates: Sequence[Facts]
) -> tuple[NDArray[np.float64], ModelUsage]:
    """Score candidates 0 to 1 among themselves (1: the model's surest yes), and say what that cost.

    Raises:
        ModelError: the model can't answer.
    """
    prefix, prompts = scoring_prefix(request), [scoring_prompt(facts) for facts in candidates]
    table = await runtime.score(prompts, LABELS, prefix=prefix)
    usage = ModelUsage(await runtime.count_tokens(prefix + "\n".join(prompts)), len(prompts))
    margin = (table[:, 0] - table[:, 1]).astype(np.float64)
    low, high = float(margin.min()), float(margin.max())
    scores = (margin - low) / (high - low) if high > low else np.zeros(len(margin), dtype=np.float64)
    return scores, usage
