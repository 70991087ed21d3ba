"""Which ways of ranking from behaviour a shop's past speaks for: learned once an import, kept in the catalogue.

Plain JSON in the catalogue's ``meta``, with the revision it was learned from: after another import it no longer counts.
"""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydantic import BaseModel, JsonValue, ValidationError

from shopfloor.store.database import connect
from shopfloor.store.meta import read_meta, write_meta
from shopfloor.tools.recommendation.baskets import History, Logit, load_history
from shopfloor.tools.recommendation.choosing_weights import Chosen, learn_next_basket
from shopfloor.tools.recommendation.next_basket import NextBasketWeights
from shopfloor.tools.recommendation.rankers import Ranker, learn_ranker

KEY = "behaviour"
LEARNED_BASKETS = 20_000  # the newest: more make an import longer and tell little more


class KeptLogit(BaseModel):
    """A logit's numbers, one a feature."""

    mean: list[float]
    scale: list[float]
    weights: list[float]


class KeptWay(BaseModel):
    """A way, and how every way did on the part of the past kept for comparing (NDCG@10)."""

    way: str
    judged: dict[str, float]
    on: int

    def said(self) -> str:
        """The way, and what it came to."""
        value = self.judged.get(self.way)
        return self.way if value is None else f"{self.way} (NDCG@10 {value:.3f} on {self.on} held-out baskets)"


class KeptRanker(KeptWay):
    """How candidates beside a basket are ordered."""

    columns: list[int]
    logit: KeptLogit | None = None


class KeptNextBasket(KeptWay):
    """How the next basket is foretold."""

    weights: dict[str, float]


class Ways(BaseModel):
    """What the catalogue keeps, and the revision it holds for."""

    revision: str
    ranking: KeptRanker
    next_basket: KeptNextBasket

    @property
    def words(self) -> str:
        """One line for a person."""
        return f"baskets are ranked by {self.ranking.said()}; the next basket is foretold by {self.next_basket.said()}"

    def summary(self) -> dict[str, JsonValue]:
        """For ``--json``: the ways and what they were chosen by, without the numbers learned."""
        shown = {"way", "judged", "on"}
        return {
            "ranking": self.ranking.model_dump(mode="json", include=shown),
            "next_basket": self.next_basket.model_dump(mode="json", include=shown),
        }

    def ranker(self) -> Ranker:
        """The kept way of ordering candidates."""
        kept = self.ranking
        logit = kept.logit
        made = (
            Logit(np.asarray(logit.mean), np.asarray(logit.scale), np.asarray(logit.weights))
            if logit is not None
            else None
        )
        return Ranker(kept.way, tuple(kept.columns), made, kept.judged, kept.on)

    def chosen(self) -> Chosen:
        """The kept way of foretelling the next basket."""
        kept = self.next_basket
        return Chosen(kept.way, NextBasketWeights(kept.weights), kept.judged, kept.on)


def learn_ways(history: History, revision: str, *, seed: int = 0) -> Ways:
    """Choose both ways on a shop's past."""
    ranker, chosen = learn_ranker(history, seed=seed), learn_next_basket(history, seed=seed)
    logit = ranker.logit
    numbers = (
        KeptLogit(mean=logit.mean.tolist(), scale=logit.scale.tolist(), weights=logit.weights.tolist())
        if logit is not None
        else None
    )
    return Ways(
        revision=revision,
        ranking=KeptRanker(
            way=ranker.way, judged=dict(ranker.judged), on=ranker.choices, columns=list(ranker.columns), logit=numbers
        ),
        next_basket=KeptNextBasket(
            way=chosen.way, judged=dict(chosen.judged), on=chosen.baskets, weights=dict(chosen.weights.of_part)
        ),
    )


def keep_ways(catalogue: Path) -> Ways | None:
    """Learn from a catalogue's past and write down what was chosen; None where it has no purchases."""
    with closing(connect(catalogue)) as connection:
        history = load_history(connection)
        if not history.baskets:
            return None
        history = replace(history, baskets=history.baskets[-LEARNED_BASKETS:])
        ways = learn_ways(history, read_meta(connection).get("revision", "0"))
        write_meta(connection, {KEY: ways.model_dump_json()})
    return ways


def kept_ways(connection: sqlite3.Connection) -> Ways | None:
    """What was learned from this very revision of the catalogue; None where nothing was."""
    meta: Mapping[str, str] = read_meta(connection)
    try:
        ways = Ways.model_validate_json(meta.get(KEY, ""))
    except ValidationError:
        return None
    return ways if ways.revision == meta.get("revision", "0") else None
