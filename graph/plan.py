"""What a turn will do: a route, the agents' tasks, or a direct reply."""

from dataclasses import dataclass, replace

from shopfloor.graph import cues
from shopfloor.graph.state import Decision, InventoryTask, RecommendTask
from shopfloor.tools.schemas import DecidedBy, Route

DEFAULT_COUNT = 3
RULE_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Plan:
    """A decided turn. ``inventory`` tasks run side by side with ``recommend``, unless one is about its first product.

    Attributes:
        reply: the kind of a direct answer (a key of replies.toml, or ``details``), where no agent is asked.
        text: a direct answer's words, where the supervisor wrote them.
        skus: products a ``details`` reply is about.
        asked: what it answers, where that is not the shopper's own wording.
    """

    route: Route
    decided_by: DecidedBy
    confidence: float
    reason: str
    recommend: RecommendTask | None = None
    inventory: tuple[InventoryTask, ...] = ()
    reply: str | None = None
    text: str | None = None
    skus: tuple[str, ...] = ()
    asked: str | None = None

    def answering(self, question: str) -> "Plan":
        """The same plan for a question in other words than the shopper's."""
        return replace(self, asked=question)

    @property
    def decision(self) -> Decision:
        """As the state keeps it."""
        return Decision(
            route=self.route,
            decided_by=self.decided_by,
            confidence=round(self.confidence, 4),
            reason=self.reason,
            reply=self.reply,
            text=self.text,
            skus=list(self.skus),
            asked=self.asked,
        )


def rule_plan(
    route: Route,
    reason: str,
    *,
    recommend: RecommendTask | None = None,
    inventory: tuple[InventoryTask, ...] = (),
    reply: str | None = None,
    skus: tuple[str, ...] = (),
) -> Plan:
    """A plan of the conversation's rules."""
    return Plan(
        route, "rules", RULE_CONFIDENCE, reason, recommend=recommend, inventory=inventory, reply=reply, skus=skus
    )


def recommend_task(
    text: str,
    *,
    count: int = DEFAULT_COUNT,
    city: str | None = None,
    refine: bool = False,
    explain: bool = True,
    like: str | None = None,
    call_id: str | None = None,
) -> RecommendTask:
    """A recommendation agent's task."""
    said = cues.for_grown_ups(cues.without_self(text) if refine else cues.without_doubt(text))
    return RecommendTask(text=said, count=count, city=city, refine=refine, explain=explain, like=like, call_id=call_id)


def inventory_task(
    question: str,
    *,
    of_top: bool = False,
    sku: str | None = None,
    city: str | None = None,
    store_id: str | None = None,
    size: str | None = None,
    call_id: str | None = None,
) -> InventoryTask:
    """An inventory agent's task."""
    return InventoryTask(
        question=question,
        of_top=of_top,
        sku=sku,
        city=city,
        store_id=store_id,
        size=size,
        call_id=call_id,
    )
