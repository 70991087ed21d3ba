"""The generator's parameters, read from ``hidden/tastes.json``.

Nothing but the generator and the simulation of shoppers may read that file: the assistant has to
find out by itself what the shoppers like.
"""

from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict

TASTES = Path(__file__).parent / "hidden" / "tastes.json"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class City(_Part):
    """Where shoppers live: their share, their climate, and whether their seasons are the southern ones."""

    share: float
    climate: str
    south: bool


class Persona(_Part):
    """A kind of shopper; a single shopper deviates from it by chance.

    ``budget`` is the natural logarithm of how far above the usual price of a kind of product they aim.
    """

    share: float
    rate: float
    budget: float
    brands: dict[str, float]
    colours: dict[str, float]
    missions: dict[str, float]


class Slot(_Part):
    """One place in a basket: bought with ``chance``, from these SKUs or kinds, made for this occasion."""

    chance: float
    kinds: tuple[str, ...] = ()
    skus: tuple[str, ...] = ()
    occasion: str = ""


class Mission(_Part):
    """A reason to go shopping: how likely by month and what goes into the basket.

    The months are those of the north; in the south they turn by half a year, unless ``everywhere`` says
    that the calendar decides and not the weather.
    """

    everywhere: bool = False
    months: tuple[float, ...]
    slots: tuple[Slot, ...]


class Sale(_Part):
    """Seasonal goods cost less in these months."""

    months: tuple[int, ...]
    discount: float


class Returns(_Part):
    """Chances of sending a line back, and of ordering the right size afterwards."""

    base: float
    wrong_size: float
    poor_quality: float
    exchange: float
    size_guess_spread: float


class Ratings(_Part):
    """How stars come about: a mean, what taste and size add, and noise."""

    chance: float
    mean: float
    taste: float
    wrong_size: float
    spread: float


class Assortment(_Part):
    """What a type of store carries: share of products, share of the outer sizes, units on the shelf."""

    share: float
    extreme_sizes: float
    units: float


class Params(_Part):
    """Everything the generator knows and the assistant does not."""

    seed: int
    start: date
    end: date
    shoppers: int
    months_until_all_joined: int
    orders_per_month: float
    month_weights: tuple[float, ...]
    cancelled_share: float
    online_share: float
    sale: Sale
    cities: dict[str, City]
    climates: dict[str, dict[str, float]]
    season_match: dict[str, float]
    personas: dict[str, Persona]
    missions: dict[str, Mission]
    appeal: dict[str, float]
    appeal_spread: float
    trends: dict[str, float]
    launches: dict[str, date]
    fit: dict[str, float]
    quality: dict[str, float]
    avoids: dict[str, float]
    repeat: dict[str, float]
    returns: Returns
    ratings: Ratings
    assortment: dict[str, Assortment]
    always_carried: dict[str, tuple[str, ...]]
    too_big_for_small_stores: tuple[str, ...]
    fill_category_above: float
    sold_out_share: float
    off_season_sold_out_share: float


def load_params(path: Path = TASTES) -> Params:
    """Read and check the parameter file.

    Raises:
        pydantic.ValidationError: a field is missing, unknown or of the wrong type.
    """
    return Params.model_validate_json(path.read_text(encoding="utf-8"))
