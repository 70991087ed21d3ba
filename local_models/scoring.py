"""Reads true label log-probabilities out of a llama.cpp server that only reports the most likely tokens.

Two facts of the server carry this (checked by the tests):

* With a bias of +50 on every label and no samplers, the sampled token is always a label, while the log-probability
  reported for it (``post_sampling_probs`` off) comes from the unbiased softmax over the whole vocabulary. That is the
  anchor. Labels among the ``n_probs`` most likely tokens are read from the same answer.
* With ``post_sampling_probs`` on, the probabilities are those after the bias. The bias is the same for every label, so
  ratios between labels are unchanged: log p(label) = anchor + log(ratio to the anchor's label).

One request is enough when all labels are among the most likely tokens; otherwise a second one follows, whose prompt is
already in the slot's cache.
"""

import math
from collections.abc import Callable, Generator, Sequence

from shopfloor.errors import ModelError
from shopfloor.local_models.llama_server import Json

BIAS = 50.0
TOP = 48
SMALLEST = 1e-37  # float32 underflows below: such a label is reported at this ratio, never as minus infinity


def single_token(label: str, tokens: Sequence[int]) -> int:
    """A label's one token.

    Raises:
        ModelError: it is several tokens, or none.
    """
    if len(tokens) != 1:
        raise ModelError(f"the label {label!r} is {len(tokens)} tokens; labels must be single tokens")
    return tokens[0]


def score_prompt(complete: Callable[[Json], Json], prompt: str, labels: Sequence[int], slot: int) -> list[float]:
    """Log-probabilities of the label tokens right after the prompt, under the full softmax.

    Raises:
        ModelError: the server's answer lacks a label.
    """
    steps = scoring(prompt, labels)
    body = next(steps)
    while True:
        try:
            body = steps.send(complete({**body, "id_slot": slot}))
        except StopIteration as done:
            return done.value


def scoring(prompt: str, labels: Sequence[int]) -> Generator[Json, Json, list[float]]:
    """The one or two requests behind a score: yields a body, is sent the answer, returns the log-probabilities.

    Raises:
        ModelError: the server's answer lacks a label.
    """
    body: Json = {
        "prompt": prompt,
        "n_predict": 1,
        "cache_prompt": True,
        "temperature": 1.0,
        "samplers": [],
        "seed": 0,
        "logit_bias": [[label, BIAS] for label in dict.fromkeys(labels)],
        "n_probs": max(TOP, len(labels)),
    }
    sampled = _sampled((yield body))
    known = {int(entry["id"]): float(entry["logprob"]) for entry in sampled["top_logprobs"]}
    anchor_id, anchor = int(sampled["id"]), float(sampled["logprob"])
    known[anchor_id] = anchor
    if anchor_id not in labels:
        raise ModelError("the local model scored a token that is no label")
    if all(label in known for label in labels):
        return [min(0.0, known[label]) for label in labels]
    biased = _sampled((yield {**body, "post_sampling_probs": True, "n_probs": len(labels) + TOP}))
    ratios = {int(entry["id"]): float(entry["prob"]) for entry in biased["top_probs"]}
    base = max(ratios.get(anchor_id, 0.0), SMALLEST)
    return [
        min(0.0, known.get(label, anchor + math.log(max(ratios.get(label, 0.0), SMALLEST) / base))) for label in labels
    ]


def _sampled(answer: Json) -> Json:
    try:
        return answer["choices"][0]["logprobs"]["content"][0]
    except (KeyError, IndexError, TypeError) as error:
        raise ModelError("the local model returned no probabilities") from error
