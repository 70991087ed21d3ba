"""Merges what says the same, settles what contradicts, and caps how far one user or one group can pull.

Caps are for honest heavy users as much as for dishonest ones. Against coordination: rows of fresh accounts never
outnumber those of established ones by more than a fixed floor, a product's praise from fresh accounts needs
established users beside it, and praise for a product whose established raters are unhappy is dropped. None of this is
proof; the gate is.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

from shopfloor.evaluation.nearness import near_groups
from shopfloor.finetune.datasets.rows import STRENGTH, Row, Sifted, Source

NEAR = 0.8
"""Texts at least this alike (Jaccard of character 5-grams) are one text."""


@dataclass(frozen=True, slots=True)
class Caps:
    """How much one user, fresh accounts together, and one product may weigh.

    A user has at most ``per_user`` rows, and no more than ``user_share`` of all where there are ``share_from`` or more.
    Fresh accounts have at most as many rows as established ones, or ``fresh_floor``. One product has at most
    ``per_target`` rows or ``target_share`` of all; of fresh accounts' praise for it, as much as established users gave
    and ``fresh_praise`` more.
    """

    per_user: int = 20
    user_share: float = 0.1
    share_from: int = 200
    fresh_floor: int = 100
    per_target: int = 10
    target_share: float = 0.1
    fresh_praise: int = 2


def merge(rows: Sequence[Row]) -> Sifted:
    """One row of what is said more than once, and one side of what contradicts itself.

    Rows of one kind and target over near texts become one, which keeps every source. Of contradicting rows the
    the owner's word stays, else the stronger basis, then what more established users say; a tie drops both.
    """
    out = Sifted()
    merged: dict[Hashable, list[Row]] = defaultdict(list)
    for row, group in zip(rows, _groups(rows), strict=True):
        merged[(row.kind, group, row.target, row.positive)].append(row)
    claims: dict[Hashable, list[Row]] = defaultdict(list)
    for (kind, group, target, _), same in merged.items():  # type: ignore[misc]
        one = _one_of(same)
        # A message has one route and one meaning; of products, several can be right.
        claims[(kind, group, target if kind == "choose" else "")].append(one)
    for rivals in claims.values():
        _settle(rivals, out)
    out.rows.sort(key=_order)
    return out


def cap(rows: Sequence[Row], caps: Caps) -> Sifted:
    """Drop what goes over the caps: the weaker first, then the older."""
    out = Sifted(rows=sorted(rows, key=_worth))
    for step in (_against_trusted, _target_rows, _fresh_praise, _user_rows, _fresh_rows):
        kept = out.rows
        out.rows = []
        step(kept, caps, out)
    out.rows.sort(key=_order)
    return out


def _groups(rows: Sequence[Row]) -> list[int]:
    """Near texts share a number; explanations are near where question and answer are."""
    return near_groups([row.text if row.kind != "explain" else f"{row.text} {row.target}" for row in rows], NEAR)


def _one_of(same: Sequence[Row]) -> Row:
    """The strongest and earliest of rows that say the same, with the sources of all, one a user and turn."""
    best = min(same, key=lambda row: (-STRENGTH[row.basis], -row.weight, _order(row)))
    sources: dict[tuple[str, str, str], Source] = {}
    for row in sorted(same, key=_order):
        for source in row.sources:
            sources.setdefault((source.trace_id, source.feedback_id, source.user_id), source)
    first = best.sources[0]
    others = tuple(source for source in sources.values() if source != first)
    return replace(
        best,
        sources=(first, *others),
        fresh=all(row.fresh for row in same),
        verified=any(row.verified for row in same),
    )


def _settle(rivals: Sequence[Row], out: Sifted) -> None:
    if len(rivals) == 1:
        out.rows.append(rivals[0])
        return
    ranked = sorted(rivals, key=lambda row: (_strength(row), _order(row)), reverse=True)
    if _strength(ranked[0]) == _strength(ranked[1]):
        for row in ranked:
            out.drop(row, "contradicted")
        return
    out.rows.append(ranked[0])
    for row in ranked[1:]:
        out.drop(row, "contradicted")


def _strength(row: Row) -> tuple[bool, int, int]:
    users = {source.user_id for source in row.sources}
    return row.verified, STRENGTH[row.basis], 0 if row.fresh else len(users)


def _against_trusted(rows: Sequence[Row], _caps: Caps, out: Sifted) -> None:
    """Praise for a product that established users, the extremes trimmed, are unhappy with."""
    votes: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row.kind == "choose" and not row.fresh:
            for source in row.sources:
                votes[row.target][source.user_id].append(1.0 if row.positive else -1.0)
    disliked = {
        sku for sku, by_user in votes.items() if _trimmed([sum(one) / len(one) for one in by_user.values()]) < 0
    }
    for row in rows:
        if row.kind == "choose" and row.positive and row.basis != "correction" and row.target in disliked:
            out.drop(row, "against_trusted_users")
        else:
            out.rows.append(row)


def _trimmed(votes: Sequence[float], share: float = 0.2) -> float:
    """Mean without the highest and lowest fifth; 0 with fewer than three voters."""
    if len(votes) < 3:
        return 0.0
    cut = math.floor(len(votes) * share)
    kept = sorted(votes)[cut : len(votes) - cut]
    return sum(kept) / len(kept)


def _target_rows(rows: Sequence[Row], caps: Caps, out: Sifted) -> None:
    most = max(caps.per_target, math.ceil(caps.target_share * len(rows)))
    _at_most(
        rows,
        lambda row: (row.target, row.positive) if row.kind == "choose" else None,
        lambda _: most,
        "same_product",
        out,
    )


def _fresh_praise(rows: Sequence[Row], caps: Caps, out: Sifted) -> None:
    trusted = Counter(row.target for row in rows if _praises(row) and not row.fresh)
    _at_most(
        rows,
        lambda row: row.target if _praises(row) and row.fresh else None,
        lambda target: trusted[str(target)] + caps.fresh_praise,
        "fresh_accounts_alone",
        out,
    )


def _user_rows(rows: Sequence[Row], caps: Caps, out: Sifted) -> None:
    most = caps.per_user
    if len(rows) >= caps.share_from:
        most = min(most, max(1, math.floor(caps.user_share * len(rows))))
    _at_most(rows, lambda row: row.user_id, lambda _: most, "per_user", out)


def _fresh_rows(rows: Sequence[Row], caps: Caps, out: Sifted) -> None:
    most = max(caps.fresh_floor, sum(not row.fresh for row in rows))
    _at_most(rows, lambda row: True if row.fresh else None, lambda _: most, "fresh_accounts", out)


def _at_most(
    rows: Iterable[Row], key: Callable[[Row], Hashable], most: Callable[[Hashable], int], reason: str, out: Sifted
) -> None:
    """Keep the first rows of each key; a key of None is not counted."""
    seen: Counter[Hashable] = Counter()
    for row in rows:
        name = key(row)
        seen[name] += 1
        if name is None or seen[name] <= most(name):
            out.rows.append(row)
        else:
            out.drop(row, reason)


def _praises(row: Row) -> bool:
    return row.kind == "choose" and row.positive


def _order(row: Row) -> tuple[str, str, str, str]:
    return row.at, row.sources[0].feedback_id, row.sources[0].trace_id, row.kind


def _worth(row: Row) -> tuple[bool, int, float, tuple[int, ...], str]:
    """What the owner says first, then the strongest, the heaviest, the newest."""
    return (
        not row.verified,
        -STRENGTH[row.basis],
        -row.weight,
        tuple(-ord(one) for one in row.at),
        row.sources[0].feedback_id,
    )
