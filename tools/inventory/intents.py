"""Which question it is: rules over the question's masked words and over what kinds of things it names.

The rules look at words of stock questions in general; names of products, places and services are masked before, so
another shop's catalogue does not change them.
"""

import re
from dataclasses import dataclass

from shopfloor.tools.inventory.mentions import Mentions

_STORE = r"(stores?|shops?|branch(es)?|locations?|outlets?|sites?|warehouses?|cit(y|ies)|boutiques?|places?)"

NEAREST = re.compile(
    r"\b(nearest|closest|nearby|near(er)? (me|here|by|us|my)|close(r)? (by|to)|nearer|least far|shortest|closeby|near)\b"
)
OTHER = re.compile(
    r"\b(other|another|else|elsewhere|apart|besides?|aside|except(ing)?|excluding|instead|alternatives?|different|"
    r"cant (use|get to|go to|make it to|reach|visit)|cannot (use|get to|go to|reach)|not (use|go to)|unable|closed|rather than|backup|next best|next (store|shop|branch|outlet|place)|fallback|where next|(let|lets|letting) (me|us|them) down|no (luck|use|joy|good)|(failed|disappointed) (me|us)|(is|was|are|were) (all )?out of|if .* (is|has) (out|none|shut|sold))\b"
)
SIZES = re.compile(
    r"\b(which|what|all|the|available|offered|list|every|whole|full|your)? ?sizes?\b|\bsize (range|run|options)\b|\bsizing\b"
)
MOST = re.compile(
    r"\b(?<!at )(most(?! of)|(?<=has )most of|(?<=have )most of|(?<=with )most of|(?<=the )most of|(?<=holds )most of|(?<=got )most of|(?<=keeps )most of|(?<=stocks )most of|largest|biggest|highest|greatest|best stocked|maximum|max|peak|top|deepest|fullest|richest|strongest|heaviest)\b"
)
TOTAL = re.compile(
    rf"\b(total|totals|overall|altogether|in all|all together|sum|combined|across|grand|companywide|networkwide|chainwide|(company|chain|network|store|nation|group|world) wide|everywhere|entire|"
    rf"aggregate|cumulative|in aggregate|company wide|whole (company|chain|network|business)|(over|in|at|from|for|counting|including|of) (all|every|each)( of)?( the| our| your)? {_STORE}|"
    rf"all (our |your |the )?{_STORE}|{_STORE} (together|combined)|put together|added? (up|together)|add up)\b"
)
HOW_MANY = re.compile(
    r"\b(how many|how much|quantity|number of|count|units|amount|tally|stock level|inventory|headcount)\b"
)
LIST_STORES = re.compile(
    rf"\b(where|who|whos|which {_STORE}|what {_STORE}|(in|at) (which|what) {_STORE}|list|every {_STORE}|all (the )?{_STORE}|any (of )?(your |our |the )?{_STORE}|"
    rf"how many {_STORE}|{_STORE} (that|which|with|having|carrying|stocking|selling|have|carry|stock|sell))\b"
)
ZERO = re.compile(
    r"\b(out of stock|sold out|sell outs?|stock ?outs?|zero|no (more )?(stock|units|inventory)|none left|nothing left|no longer (available|in stock|have|has|got|there|stocks?|carry|carries|sells?)|unavailable|"
    r"ran out|out of$|(dont|do not|doesnt|does not) (\w+ )?have (\w+ )?any ?more|nothing left|have run out|has run out|(run|runs|ran|running|gone) dry|depleted|gone|empty|emptied|not in stock|not available|exhausted|no units|completely out|used up|(thats|whats|is|are|currently|all) out|out (at|in)|(ha(s|ve)|had) (\w+ ){0,2}run out|run out of|sold through|missing|none of|0 (units|stock|left|items|pieces))\b"
)
LOW = re.compile(
    r"\b(low|lowest|running (low|out|short)|few(er)?|scarce|nearly (gone|out|empty)|almost (gone|out|empty|sold)|short (on|of|supply)|below|under|at most|or less|"
    r"critical(ly)?|last (few|ones)|thin|dwindling|threshold|less than|no more than|dropp(ed|ing)|fallen|need(s|ing)? (restock|replenish)\w*|restock\w*|replenish\w*)\b"
)
REORDER = re.compile(r"\b(re ?order\w*|re ?stock\w*|replenish\w*|order more|purchase order|buy in|top up)\b")
REORDER_POINT = re.compile(
    r"\b(re ?order (point|level|threshold)|safety stock|when (should|do|must|shall|to|would) (we |i |you )?(re ?order|re ?stock|order|replenish))\b"
)
COVER = re.compile(
    r"\b(days? of (cover|stock|supply|inventory)|weeks? of (cover|stock|supply)|days? cover|stock cover|(how|however) (long|many (days|weeks|months))( \w+)* (last|left|cover|hold out|hold|keep us|be enough|suffice|survive|see us)|"
    r"how long (will|does|do|would|until|till|before)|(last|lasts|hold|holds|be enough) (us )?(for )?how long|(how many|how many more|how much more) (days|weeks|months|time) (until|till|before|have we|do we have|are left|is left|remain)\b(?! (open|opening|clos))|when (will|does|do|would|are|is|shall) .*((run|runs|running) (out|dry|short)|(sell|sells|selling) out|be (gone|empty|finished)|(are|is) .* gone))\b"
)
SELL_OUT = re.compile(
    r"\b(at th(is|e current|e present|at|e same) (rate|pace|speed|tempo)|(will|going to|about to|likely to|expected to) (\w+ ){0,3}be (sold out|gone|out of stock|used up|empty|unavailable)|"
    r"(?<!has )(?<!have )(sell|run|selling|running)s? out (\w+ ){0,4}(this|next (week|month|weekend|days|\d)|within|soon|in the (next|coming))|(keep|carry on|go on) selling|sales (go|carry|keep) on|(will|going to|about to|likely to|might|could|gonna|expected to|before) (\w+ ){0,3}(sell|run)s? out|sells out|(sell|run|selling|running) out (this|next|within|in \d|by|soon)|"
    r"be gone (this|next|within|in|by)|runs out|out of stock (this|next|within) )\b"
)
TRANSFER = re.compile(
    rf"\b(transfers?|transferred|rebalanc\w+|redistribut\w+|relocate|surplus|excess|overstock\w*|"
    rf"(?<!you )(?<!\bu )(send|ship|move|shift|spare|lend|sent|shipped|moved|shifted|lent) (\w+ ){{0,6}}(to(?! (me|my|us)\b)|between|from)|"
    rf"((which|what) {_STORE}|who) (should|could|can|ought to|must|might|would) (send|ship|give|supply|help|spare|move|lend)|help out|share stock|"
    rf"(where|(which|what) {_STORE}|who) (should|could|can|might|must|would|do|does) .*\b(get|fetch|draw|pull|order|source|take|have) .*\bfrom|(where|{_STORE}|who) .*\bbe (sent|moved|shipped|fetched|taken|pulled) from)\b"
)
MOVED = re.compile(r"\b(transfer(s|red|ring)?|rebalanc\w+|redistribut\w+)\b")
ALTERNATIVES = re.compile(
    r"\b(alternatives?|similar|substitutes?|something like|replacements?|equivalents?|comparable|instead of|like it|in place of)\b"
)
COMPARE = re.compile(r"\b(compare|comparison|versus|vs|or|between|than|more|against|difference)\b")
HOURS = re.compile(r"\b(hours?|open(s|ing|ed)?|clos(e|es|ing)|shut(s)?|what time|till when)\b")
COUNT = re.compile(r"\b(how many|number of|count|how much)\b")
SERVICE_WORD = re.compile(r"\b(services?|offer(s|ed|ing)?|provide[sd]?)\b")
SERVICES = re.compile(
    r"\bservices (do|does|are|can|have|has|at|in|there|PLACE)\b|\b(what|which|your|its|their) services\b"
)
RESERVE = re.compile(
    r"\b(reserve|(hold|put|set|keep|lay) (it|one|them|this|that|\w+ of them) (aside|back|for me|by)|put aside|hold (it|one))\b"
)
FACILITY = re.compile(
    r"\b((is|are) there|do (they|you)|does (it|that|the)|have (they|you)|has it|what about|how about|and|any)\b.*\b(?P<what>(free |disabled |customer )?(parking|car park|toilets?|"
    r"restrooms?|bathrooms?|wheelchairs?|wheelchair access|disabled access|lift|elevator|escalators?|caf[eé]|wi-?fi|playground|"
    r"(changing|fitting) rooms?|baby changing))\b"
)
ADDRESS = re.compile(
    r"\b(how (do|can|would|could) (i|we|you) (get|come) (to|there)|(the )?way to|address|located|location of|where is|wheres|directions|phone|find you|street)\b"
)
AVAILABILITY = re.compile(
    r"\b(in stock|stock|available|availability|have|has|got|carry|sell|left|inventory|buy|get|find|how many|any|pick up|check|units|stocks|there)\b"
)
PRONOUN = re.compile(r"\b(it|its|them|they|this|that|these|those|ones?|both|same)\b")
UNITS = re.compile(
    r"\b(units?|pieces?|total|altogether|in all|how many (items?|products?|things|articles|goods)|stock (on hand|level|count|total)|on hand|inventory|overall|sum|how much stock|full stock|whole stock|number of items|headcount|hold(s|ing)?)\b"
)
ASSORTMENT = re.compile(
    r"\b(what|which|show|list|any|all|everything|give me|see|browse|range|selection|sort|kinds?|types?|have you got|do you have|have any)\b"
)


@dataclass(frozen=True, slots=True)
class Scene:
    """What there is to talk about, after the conversation's context was added."""

    products: int
    category: bool
    places: int
    unknown_product: bool = False
    context_place: bool = False


def locator_intent(mentions: Mentions, scene: Scene, places_are_stores: bool) -> str | None:
    """The store locator's intent, or None when the question is about stock."""
    text = mentions.masked
    nearest = NEAREST.search(text) is not None
    if TRANSFER.search(text) and not mentions.services:
        return None
    if mentions.services:
        return _service_intent(mentions, scene, nearest)
    if FACILITY.search(mentions.text.casefold()) and (scene.places or scene.context_place):
        return "has_service"
    if scene.products:
        return None
    somewhere = scene.places or mentions.zips or scene.context_place
    if SERVICES.search(text) and not re.search(rf"\b(which|what|how many) {_STORE}\b", text):
        return "store_services"
    if (mentions.days or HOURS.search(text)) and somewhere and not re.search(r"\bstock\b", text):
        return "hours_on_day" if mentions.days else "store_hours"
    if re.search(
        r"\b((opening|business|store|shop|your) hours|(when|what time) (do|are|does|is) (you|your|the stores?|the shops?))\b",
        text,
    ):
        return "hours_on_day" if mentions.days else "store_hours"
    if nearest or re.search(r"\bnext (nearest|closest|stores?|shops?|branch)\b", text):
        if mentions.zips and not scene.places:
            return "nearest_other" if OTHER.search(text) else "nearest_store"
        if scene.places:
            return "nearest_other" if places_are_stores else "nearest_store"
        if scene.context_place and not re.search(r"\b(it|them|this|these|those)\b", text):
            return "nearest_store"
        return "nearest_store" if mentions.point is not None else None
    return _listing_intent(mentions, scene, text)


def _service_intent(mentions: Mentions, scene: Scene, nearest: bool) -> str:
    text = mentions.masked
    if nearest:
        return "nearest_with_service"
    if COUNT.search(text):
        return "count_state_service"
    if re.search(r"\b(which|what(?! about)|list|all|every|where|show)\b", text) and not re.match(
        r"^(is|does|do|has|can|are)\b", text
    ):
        return "stores_with_service"
    if scene.places or mentions.zips or scene.context_place:
        return "has_service"
    return "stores_with_service"


def _listing_intent(mentions: Mentions, scene: Scene, text: str) -> str | None:
    stores = re.search(rf"\b{_STORE}\b", text) is not None
    stock = (
        re.search(
            r"\b(stock\w*|sold|units?|inventory|products?|items?|articles?|goods|everything|anything|reorder|running|sizes?|skus?|low)\b",
            text,
        )
        is not None
    )
    if stock or scene.category or scene.unknown_product or mentions.amounts or ZERO.search(text):
        return None
    if mentions.zips and not scene.places:
        return "store_by_zip"
    where = bool(scene.places or mentions.states)
    if not where and re.search(r"\bwhere (are|is) (you|your)\b", text):
        return "store_info" if scene.context_place else "stores_in_city"
    if stores and COUNT.search(text):
        return "count_stores"
    if (where or scene.context_place) and ADDRESS.search(text):
        return "store_info"
    if (
        where
        and stores
        and re.search(
            r"^stores?\b|\b(which|what|list|any|are there|do you have|is there|show|have you|all|got|give|name|find|tell|where|who)\b",
            text,
        )
    ):
        return "stores_in_city"
    if stores and not where and re.search(r"\b(which|what|list|where|all|show|cities|are there|name|your)\b", text):
        return "stores_in_city"
    return None


def product_intent(mentions: Mentions, scene: Scene) -> str:
    """The intent of a question about one or several products."""
    text = mentions.masked
    if scene.products > 1 and not (ALTERNATIVES.search(text) and scene.places == 0):
        return "multi_product"
    if mentions.point is not None:
        return "nearest_from_point"
    special = _analysis_intent(text, scene)
    if special is not None:
        return special
    if scene.places >= 2:
        return (
            "nearest_other_store"
            if NEAREST.search(text) or not COMPARE.search(text) and OTHER.search(text)
            else "compare_stores"
        )
    if scene.places == 1:
        return _at_place(mentions, text)
    return _anywhere(mentions, scene, text)


def _analysis_intent(text: str, scene: Scene) -> str | None:
    if REORDER_POINT.search(text):
        return "reorder_point"
    if COVER.search(text) or SELL_OUT.search(text):
        return "days_of_cover"
    if MOVED.search(text) or (
        TRANSFER.search(text)
        and not LIST_STORES.search(
            re.sub(rf"\b((which|what) {_STORE}|who|where) (should|can|could|ought|must|might|would)\b", "", text)
        )
    ):
        return "transfer"
    if ALTERNATIVES.search(text) and not (
        NEAREST.search(text) or re.search(rf"\b(alternative|other|another) {_STORE}\b", text)
    ):
        return "alternatives"
    return None


def _at_place(mentions: Mentions, text: str) -> str:
    other_store = OTHER.search(text) and re.search(rf"\b({_STORE}|where|who|anywhere|somewhere|elsewhere)\b", text)
    if NEAREST.search(text) or other_store:
        return "nearest_other_store"
    if SIZES.search(text) and mentions.size is None:
        return "sizes_and_stock"
    if mentions.amounts:
        return "at_least_n"
    return "stock_at_store"


def _anywhere(mentions: Mentions, scene: Scene, text: str) -> str:
    if SIZES.search(text) and mentions.size is None and not re.search(r"\bmy size\b", text):
        return "sizes_and_stock"
    if NEAREST.search(text):
        return "nearest_from_point"
    if MOST.search(text):
        return "top_store"
    count_stores = re.search(rf"\bhow many {_STORE}\b|\bnumber of {_STORE}\b", text)
    total = TOTAL.search(text)
    counting = HOW_MANY.search(text)
    listing = LIST_STORES.search(text)
    if count_stores:
        return "stores_with_product"
    if mentions.amounts and not listing:
        return "at_least_n"
    if (
        total
        and (
            counting
            or not listing
            or re.search(r"\b(total|sum|combined|overall|altogether|in all|add|added|adding)\b", text)
        )
    ) or (counting and not listing):
        return "total_stock"
    if scene.context_place and not listing:
        return "stock_at_store"
    return "stores_with_product"


def shop_intent(mentions: Mentions, scene: Scene) -> str | None:
    """The intent of a question that is about no single product, or None."""
    text = mentions.masked
    amounts = mentions.amounts
    limits = [amount for amount in amounts if amount.sense in ("at_most", "fewer_than")]
    zero = ZERO.search(text) or any(amount.value == 0 for amount in amounts)
    soon = (
        SELL_OUT.search(text)
        or COVER.search(text)
        or mentions.horizon_days is not None
        or re.search(r"\bsoon\b|\b(this|next) (week|month|weekend)\b", text)
    )
    if soon and (SELL_OUT.search(text) or COVER.search(text) or LOW.search(text) or ZERO.search(text)):
        return "sells_out_soon"
    if TRANSFER.search(text):
        return "transfer"
    if scene.category and not limits and not zero:
        return "category_at_store" if scene.places or scene.context_place else "category_overall"
    place = scene.places > 0
    if limits and any(limit.at_most() > 0 for limit in limits):
        return "low_stock_at_store" if place else "reorder_overall"
    if zero:
        return "out_of_stock_at_store" if place else "out_of_stock_overall"
    if LOW.search(text) or REORDER.search(text):
        return "low_stock_at_store" if place else "reorder_overall"
    if (
        MOST.search(text)
        and re.search(rf"\b{_STORE}\b", text)
        and re.search(r"\b(stock|units?|items?|inventory)\b", text)
    ):
        return "units_by_store"
    if UNITS.search(text) and not scene.unknown_product:
        return "units_at_store" if place else "units_overall"
    return None
