"""What a message does in a conversation with products in it, by a learned head: a new wish, a change of the last one, …

The head reads the message's build (:mod:`shopfloor.graph.skeleton`), so it knows no shop's words.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from typing import Literal, get_args

from shopfloor.graph.lexicon import Lexicon
from shopfloor.graph.skeleton import skeleton
from shopfloor.local_models.head import LinearHead

TASK = "acts"
Act = Literal["wish", "refine", "ask", "stock", "store", "choose", "close", "service"]
ACTS: tuple[Act, ...] = get_args(Act)
_LONGEST = 400  # characters


@dataclass(frozen=True, slots=True)
class Reading:
    """The acts of a message with their probabilities, the most probable first."""

    ranked: tuple[tuple[Act, float], ...]

    @property
    def act(self) -> Act:
        """The most probable one."""
        return self.ranked[0][0]

    @property
    def sure(self) -> float:
        """Its probability."""
        return self.ranked[0][1]

    def of(self, *acts: Act) -> float:
        """The probability that it is one of these."""
        return sum(chance for act, chance in self.ranked if act in acts)


def read_act(text: str, lexicon: Lexicon) -> Reading:
    """The acts of a message as the shipped head has them."""
    chances = shipped_head().probabilities(skeleton(text[:_LONGEST], lexicon), None)
    pairs = zip(ACTS, (float(chance) for chance in chances), strict=True)
    return Reading(tuple(sorted(pairs, key=lambda pair: -pair[1])))


@cache
def shipped_head() -> LinearHead:
    """The head that comes with the package.

    Raises:
        ModelError: it is absent or damaged.
    """
    with as_file(files("shopfloor.local_models").joinpath("artefacts", "acts")) as shipped:
        head = LinearHead.load(shipped)
    assert tuple(head.card.labels) == ACTS, "the head's labels are the acts, in their order"
    return head
