"""The router's gate: two heads, each with its adapter if it has one, over the same cases, through the serving runtime.

The main suite is the frozen cases, joined by the shop's verified ones, which together never weigh more than half of the
frozen ones. Guarded: the frozen cases alone, each route told from the rest, the decision by words alone (what serves while
the encoder is away), how far the confidence can be trusted, and what the shipped head had learned.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shopfloor.evaluation.metrics import Floats
from shopfloor.finetune.gate.feedback_cases import FeedbackCase
from shopfloor.finetune.gate.members import Decider, ask
from shopfloor.finetune.gate.routing_cases import RoutingCase, core_cases, core_hash, known_cases
from shopfloor.finetune.gate.statistics import compare
from shopfloor.finetune.gate.verdict import Guarded, Judgement, judge
from shopfloor.finetune.routing.vectors import VectorCache
from shopfloor.graph.local_router import TextEncoder, shorten
from shopfloor.graph.route_member import Member
from shopfloor.local_models.head import LinearHead

FEEDBACK_WEIGHT = 0.5
CORE_MARGIN = 0.01
ROUTE_MARGIN = 0.02
WORDS_MARGIN = 0.02
KNOWN_MARGIN = 0.02
TRUST_MARGIN = 0.01

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class RoutingGate:
    """The cases with their vectors, ready to judge any two heads of one encoder. Vectors have width 0 without one."""

    core: tuple[RoutingCase, ...]
    feedback: tuple[RoutingCase, ...]
    known: tuple[RoutingCase, ...]
    core_vectors: Vectors
    feedback_vectors: Vectors
    known_vectors: Vectors

    @classmethod
    async def open(
        cls, encoder: TextEncoder | None, cache: Path, feedback: Sequence[FeedbackCase] = ()
    ) -> "RoutingGate":
        """Read the cases and embed them; those of the package are kept in ``cache``, a shopper's words are not.

        Raises:
            ModelError: the encoder failed.
        """
        own = tuple(RoutingCase(one.case_id, one.text, one.label) for one in feedback)
        core, known = core_cases(), tuple(known_cases())
        if encoder is None:
            empty = [np.zeros((len(cases), 0), np.float32) for cases in (core, own, known)]
            return cls(core, own, known, empty[0], empty[1], empty[2])
        kept = VectorCache(cache, encoder)
        texts = [shorten(case.text) for case in (*core, *known)]
        vectors = await kept.embed(texts)
        asked = [shorten(case.text) for case in own]
        live = await encoder.embed(asked) if asked else np.zeros((0, vectors.shape[1]), np.float32)
        return cls(core, own, known, vectors[: len(core)], live, vectors[len(core) :])

    async def ask(self, head: LinearHead, member: Member | None, adapter: str = "") -> Decider:
        """What serves, or would: a head, and an adapter that is asked where the head is unsure.

        Raises:
            ModelError: the model failed.
        """
        texts = [shorten(case.text) for case in (*self.core, *self.feedback, *self.known)]
        vectors = np.concatenate([self.core_vectors, self.feedback_vectors, self.known_vectors])
        return await ask(head, member, adapter, texts, vectors)

    def judge(self, champion: LinearHead | Decider, challenger: LinearHead | Decider, *, seed: int = 0) -> Judgement:
        """Compare the two and decide; a head alone is a decider without an adapter."""
        pair = [one if isinstance(one, Decider) else Decider(one) for one in (champion, challenger)]
        before, after = (_Answers.of(one, self.core, self.core_vectors) for one in pair)
        extra = [_Answers.of(one, self.feedback, self.feedback_vectors) for one in pair]
        known = [_Answers.of(one, self.known, self.known_vectors) for one in pair]
        weights = np.concatenate([np.ones(len(self.core)), np.full(len(self.feedback), self._feedback_weight())])
        main = compare(
            "routing",
            np.concatenate([before.right, extra[0].right]),
            np.concatenate([after.right, extra[1].right]),
            weights=weights,
            seed=seed,
        )
        guarded = [
            Guarded(compare("words alone", before.right_by_words, after.right_by_words, seed=seed), WORDS_MARGIN),
            Guarded(compare("confidence", before.trust, after.trust, seed=seed), TRUST_MARGIN),
            Guarded(compare("known messages", known[0].right, known[1].right, seed=seed), KNOWN_MARGIN),
        ]
        if self.feedback:
            guarded.append(Guarded(compare("frozen cases", before.right, after.right, seed=seed), CORE_MARGIN))
        for label in pair[0].labels:
            one, two = before.told_apart(label, self.core), after.told_apart(label, self.core)
            guarded.append(Guarded(compare(f"route {label}", one, two, seed=seed), ROUTE_MARGIN))
        about = {
            "champion": pair[0].name,
            "challenger": pair[1].name,
            "frozen cases": f"{len(self.core)}, file {core_hash()[:12]}",
            "verified cases of this shop": len(self.feedback),
            "seed": seed,
        }
        return judge(main, guarded, about)

    def _feedback_weight(self) -> float:
        if not self.feedback:
            return 1.0
        return min(1.0, FEEDBACK_WEIGHT * len(self.core) / len(self.feedback))


@dataclass(frozen=True, slots=True)
class _Answers:
    """A decider's answers, one value a case: the route, right or not, right by the words alone, and 1 - Brier score / 2."""

    routes: tuple[str, ...]
    right: Floats
    right_by_words: Floats
    trust: Floats

    @classmethod
    def of(cls, one: Decider, cases: Sequence[RoutingCase], vectors: Vectors) -> "_Answers":
        labels, width = one.labels, one.head.card.encoder_width
        count = len(cases)
        routes: list[str] = []
        right, words, trust = np.zeros(count), np.zeros(count), np.zeros(count)
        for place, (case, vector) in enumerate(zip(cases, vectors, strict=True)):
            text = shorten(case.text)
            gold = labels.index(case.label)
            chances = one.probabilities(text, vector if vector.size and width else None)
            routes.append(labels[int(chances.argmax())])
            right[place] = float(routes[-1] == case.label)
            words[place] = float(int(one.probabilities(text, None).argmax()) == gold)
            missed = chances.copy()
            missed[gold] -= 1.0
            trust[place] = 1.0 - float((missed**2).sum()) / 2
        return cls(tuple(routes), right, words, trust)

    def told_apart(self, label: str, cases: Sequence[RoutingCase]) -> Floats:
        """Whether each case was rightly taken, or rightly not taken, for one of this route."""
        pairs = zip(self.routes, cases, strict=True)
        return np.array([float((route == label) == (case.label == label)) for route, case in pairs])
