"""What a question asks of a product itself: its price, its material, whether it is waterproof, which one is lightest.

Rules over words of questions in general, for any trade. They say which fact is wanted; whether the shop knows it is
settled against its data.
"""

import re
from dataclasses import dataclass
from typing import Literal

Direction = Literal["most", "least"]


@dataclass(frozen=True, slots=True)
class Aspect:
    """A fact that can be asked for.

    Attributes:
        name: what it is called in an answer.
        asked: how a question asks for it.
        keys: words of column and attribute names that hold it, plain and singular.
        high: comparative and superlative words for more of it; ``low`` for less.
    """

    name: str
    asked: re.Pattern[str]
    keys: tuple[str, ...] = ()
    high: str = ""
    low: str = ""

    def direction(self, text: str) -> Direction | None:
        """Whether ``text`` asks for the most or the least of it, None when neither."""
        if self.high and re.search(rf"\b({self.high})\b", text):
            return "most"
        if self.low and re.search(rf"\b({self.low})\b", text):
            return "least"
        return None


def _aspect(name: str, asked: str, keys: str = "", high: str = "", low: str = "") -> Aspect:
    return Aspect(name, re.compile(rf"\b({asked})\b"), tuple(keys.split()), high, low)


PRICE = _aspect(
    "price",
    r"how much (is|are|does|do|would|will|for|was|did)(?! (left|in stock|available|there|remain|you have|we have))(?! (\w+ ){1,4}(weigh|hold|carry|take|store|fit|last))|(is|are) (it|this|that|they|these|those|both) (too |very )?(cheap|expensive|pricey|costly|dear)|price[ds]?|prices|pricing|costs?|"
    r"how (expensive|cheap|costly|dear)|how many (euros?|dollars?|pounds?|quid|bucks)|on (sale|offer)|discount(ed)?|reduced",
    "price cost",
    r"(most|more) (expensive|costly)|dearest|priciest|dearer|pricier|highest price[ds]?",
    r"cheapest|cheaper|least expensive|less expensive|lowest price[ds]?|most affordable|costs? (the )?least|best price|best value",
)
RATING = _aspect(
    "rating",
    r"rated|ratings?|reviews?|reviewed|stars?|score[sd]?|(other )?(people|customers|shoppers|buyers|others) (like|think|say|rate)|popular",
    "rating star score",
    r"(best|highest|top|better|higher)[- ]?(rated|reviewed|rating|reviews|score|scored|stars)|best|(most|more) (liked|loved|stars)",
    r"(worst|lowest|lower)[- ]?(rated|reviewed|rating|score)|worst|least liked",
)
POPULAR = _aspect(
    "units sold",
    r"(best|most|top)[- ](selling|sold|popular|bought)|sells (the )?(best|most)|bestsellers?|best ?seller|most popular|more popular",
    "",
    r"(best|most|top)[- ](selling|sold|popular|bought)|sells (the )?(best|most)|best ?sellers?|more popular",
    r"least popular",
)
COLOUR = _aspect(
    "colour",
    r"(what|which|other|any|how many|different|more|the) colou?rs?|colou?rs? (is|are|does|do)|colou?rs",
    "colour color",
)
SIZES = _aspect("sizes", r"(what|which|other|how many|the|any|all) sizes?|sizes (is|are|does|do)|size range", "size")
BRAND = _aspect(
    "brand", r"brand|who makes|who made|manufacturer|maker|made by|label", "brand manufacturer maker vendor"
)
CATEGORY = _aspect("kind", r"what (kind|type|sort) of (product|thing|item|article)|category", "category type")
GENDER = _aspect(
    "for",
    r"(a )?(wom[ae]ns?|m[ae]ns?|ladies|unisex|girls?|boys?|male|female) (model|one|cut|version|fit)|gender",
    "gender",
)

ASPECTS: tuple[Aspect, ...] = (
    POPULAR,
    PRICE,
    RATING,
    COLOUR,
    SIZES,
    BRAND,
    CATEGORY,
    GENDER,
    _aspect(
        "material",
        r"made (out )?(of|from|with)|materials?|fabrics?|composition|ingredients?|consists? of|what is in it|lining",
        "material fabric composition ingredient",
    ),
    _aspect(
        "weight", r"(how )?heavy|weighs?|weights?|how light|how many (grams?|kilos?|kilograms?|kg|pounds|ounces)", "weight mass",
        r"heaviest|heavier|weighs? (the )?(most|more)", r"lightest|lighter|least heavy|less heavy|weighs? (the )?(least|less)",
    ),
    _aspect("warmth", r"how warm|how cold", "warmth insulation warm temperature comfort", r"warmest|warmer", r"coolest|cooler|least warm|less warm"),
    _aspect(
        "capacity",
        r"capacity|how many (lit(er|re)s?|ml|gallons?|cups)|volume|how much (does|can|will|do) (\w+ ){1,4}(hold|fit|take|carry|store)",
        "capacity volume litre liter",
        r"(largest|biggest|highest|most|greatest|more|larger|bigger) (capacity|volume|room|space)|holds? (the )?(most|more)|roomiest|roomier",
        r"(smallest|lowest|least|smaller|less) (capacity|volume|room|space)",
    ),
    _aspect(
        "brightness", r"how bright|lumens?|brightness", "lumen brightness",
        r"brightest|brighter", r"dimmest|dimmer|least bright|less bright",
    ),
    _aspect("power", r"how powerful|watts?|wattage|power|voltage|volts?", "power wattage watt voltage volt", r"(most|more) powerful|strongest|stronger", r"(least|less) powerful|weakest|weaker"),
    _aspect("battery life", r"battery( life)?|batteries|how long does (it|the battery) last", "battery", r"longest battery( life)?", r"shortest battery( life)?"),
    _aspect("length", r"how long (is|are)(?! (it|they) (open|closed))|lengths?", "length", r"longest|longer", r"shortest|shorter"),
    _aspect("width", r"how wide|widths?", "width", r"widest|wider", r"narrowest|narrower"),
    _aspect("height", r"how (tall|high)|heights?", "height", r"tallest|taller|highest|higher", r"lowest|lower"),
    _aspect("depth", r"how deep|depth", "depth", r"deepest|deeper", r"shallowest"),
    _aspect("thickness", r"how thick|thickness", "thickness", r"thickest|thicker", r"thinnest|thinner"),
    _aspect(
        "size", r"how (big|large|small) (is|are)|dimensions?|measurements?|measures?", "dimension size length width height diameter volume capacity",
        r"biggest|largest|bigger|larger", r"smallest|smaller",
    ),
    _aspect("speed", r"how fast|speed", "speed", r"fastest|faster", r"slowest|slower"),
    _aspect("age", r"what ages?|\d+[- ]years?[- ]olds?|which ages?|how old (should|must|do)|for (what|which) age|age range|age group|suitable age", "age"),
    _aspect("fit", r"true to size|runs? (small|large|big|tight|true)|fits? (true|small|large|tight)|comes? up (small|big|large)", "fit small large"),
    _aspect("warranty", r"warranty|guarantee[ds]?|warranties", "warranty guarantee"),
    _aspect("way to care for it", r"washed|wash|washing|washable|dry[- ]clean(ed)?|iron(ed)?|tumble dr(y|ied)|dishwasher|care for it|clean it", "care wash washing"),
    _aspect("origin", r"where (is|are|was|were) (\w+ ){1,5}(made|produced|manufactured|grown|from)|country of origin|made in", "origin country made"),
    _aspect("season", r"(what|which) seasons?|time of year", "season"),
    _aspect("occasion", r"(what|which) occasions?|what is it (good )?for|what (is|are) (it|they|that|this|these) (used|meant|good|made) for", "occasion use purpose activity"),
    _aspect("number of people", r"how many (people|persons?|adults)|for how many", "sleep people person seat serving"),
    _aspect("year", r"(what|which) year|how old (is|are)", "year vintage"),
)  # fmt: skip

_STOCK = re.compile(
    r"\b(in[- ]stock|stock\w*|availab\w+|sold out|run(s|ning)? out|left|units?|quantit\w+|inventory|reserve|pick (it|them|one)? ?up|"
    r"(stores?|shops?|branch(es)?|outlets?) (has|have|had|near|in|open|hours|is|are|that|with|sells?)|(which|what|any|every|each|all|your|other|another|nearest|closest) (stores?|shops?|branch(es)?)|"
    r"nearest|closest|near me|open(s|ing)?( hours| on| at| until| today)?|where (can|could|do|to)|how many (are|do you|have|of|left|pieces?|pairs?|in)|get it in|how far|"
    r"(do|did) (we|you|they) have of|deliver\w*|sell out|last (until|till)|re ?order\w*|transfer)\b"
)
_SUM = re.compile(r"\b(altogether|in total|all together|in all|all in all|overall)\b")
_MORE = re.compile(
    r"\b(tell me (a bit |a little )?(more|about)|more (about|info\w*|details?)|details?|describe|description|what('s| is| are) (it|that|this|they|these|those|that one|this one)( one)? like"
    r"|what can you (tell|say)|any(thing)? (else )?(i should|to) know|features?|specs?|specifications?|info(rmation)? (on|about)|what about (it|this one|that one)$)\b"
)
_SUBJECT = r"(it|this|that|these|those|they|them|both|either( of (them|these|those))?|all of (them|these|those)|[\w-]*\d[\w-]*|the [\w'’&.-]+( [\w'’&.()-]+){0,7}?)"
_ASIDE = r"(?:(?:and|so|but|ok|okay|hi|hello|hey|also|then|hmm|um|well|please|sorry|great|nice|thanks|cool|good|or|actually)\b[ ,.!]*)*"
_YES_NO = re.compile(
    rf"^{_ASIDE}(is|are|isn'?t|aren'?t|was|does|do|doesn'?t|can|could|will|would|should|has|have) (i |you |we |my \w+ )?(?P<verb>(really |still |use |wear |wash |put |take |play |eat |run ){{0,2}}){_SUBJECT}( one| ones)?\b(?P<rest>.*)$"
)
_PLACE_NEXT = re.compile(
    r"^\W*(also |still |there |back |now )*(in|at|near|around|there|here|online|over|on the shelf)?( in .*)?\b\W*$"
    r"|^\W*(also |still |now )*(in|at|near) (?!all |wet |rain|snow|cold|hot|warm|winter|summer|spring|autumn|fall\b)"
)
_THERE_IS = re.compile(r"^(is|are) (there|they there)\b")
_LEAD = re.compile(
    rf"^{_ASIDE}((and |so )?(how|what|which|who|where|for (what|which|how)|when|is|are|was|does|do|has|have|can|could|will|would|should|any|any other|other)\b(?! (is |are )?your)"
    r"|(i('d| would)? (want|need|like|love) to know|(can|could|would) you (tell|say)|tell me|do you know)\b|((the|its|their) )?(price|cost|weight|material|brand|colou?rs?|sizes?|rating|warranty|dimensions)\b(?! of your))"
)
_WHICH = re.compile(
    r"^"
    + _ASIDE
    + r"((which|what)( one| ones)?( of (these|them|those|the (two|three|four|five)))?( one)?( (is|are|has|have|do|does|would|should|looks?|costs?|keeps?|will|holds?|weighs?|sells?|comes?)\b|$)"
    r"|(which|what)('s| is) the \w+(est|er)\b|is (either|any|one) of (them|these|those))"
)
_AMONG = re.compile(
    rf"^{_ASIDE}((which|what) (one|ones|of (these|them|those|the (two|three|four|five)))( one| ones)?|is (either|any|one) of (them|these|those|the two)|"
    r"(are|do|have) (any|all|both|either) of (them|these|those)) (is|are|has|have|do|does|can|would|will|come|comes|keeps?)?\b.*\w"
)
_DIFFER = re.compile(
    r"\b(the difference|how do (they|these|those|the (two|three)) (differ|compare)|compare (them|these|those|both|the (two|three|first)))\b"
)
_SUPERLATIVE = re.compile(
    r"\b((most|least|more|less|best|worst|better|worse) ?[\w-]*|[a-z]{2,}(est|ier|ter|ger|per|ner|der|mer|ker|wer|rer|her|ler))\b"
)
_NO_SUPERLATIVE = frozenset({"nearest", "closest", "latest", "interest", "water", "whether", "other", "another", "either", "under", "winter",
    "after", "letter", "together", "leather", "weather", "rather", "summer", "super", "paper", "order", "cover", "number", "member", "copper", "silver", "butter", "filter", "west", "test", "rest", "guest", "request", "chest", "vest", "forest"})  # fmt: skip


def plain_question(text: str) -> str:
    """Lower case, straight apostrophes, no question mark."""
    lowered = re.sub(r"\s+", " ", text.replace("’", "'").casefold()).strip(" \t\n.!?,;:")
    return re.sub(r"\b(what|who|it|that|which)'s\b", r"\1 is", lowered)


def asks_about_facts(text: str) -> bool:
    """Whether a message asks what a product is like or costs ("is it waterproof?"), not where or how many there are.

    Looks at the words alone and is cheap. The caller makes sure that a product is named, in focus or on screen.
    """
    said = plain_question(text)
    if not said or len(said) > 400:
        return False
    if _STOCK.search(said) or (_SUM.search(said) and not PRICE.asked.search(said)):
        return False
    if _MORE.search(said) or chooses_among(said) or yes_no_rest(said) is not None:
        return True
    return _LEAD.match(said) is not None and any(aspect.asked.search(said) for aspect in ASPECTS)


def aspects_of(said: str) -> tuple[Aspect, ...]:
    """The facts that a question (see :func:`plain_question`) asks for by name or by comparison."""
    found = [aspect for aspect in ASPECTS if aspect.asked.search(said) or aspect.direction(said) is not None]
    if POPULAR in found:
        found = [aspect for aspect in found if aspect is not RATING]
    return tuple(found)


def asks_for_more(said: str) -> bool:
    """Asks to be told about the product in general."""
    return _MORE.search(said) is not None


def compares(said: str) -> bool:
    """Asks which of several is the best, lightest, cheaper one, or how they differ."""
    if differ(said):
        return True
    if _WHICH.search(said) is None or re.search(r"\b(your|do you|you (have|sell)|something|anything)\b", said):
        return False
    return any(found.group(0) not in _NO_SUPERLATIVE for found in _SUPERLATIVE.finditer(said))


def differ(said: str) -> bool:
    """Asks how several products differ."""
    return _DIFFER.search(said) is not None


def chooses_among(said: str) -> bool:
    """Asks which of several products has something: a comparison, or "which of them is waterproof"."""
    return compares(said) or (_AMONG.search(said) is not None and not _STOCK.search(said))


def yes_no_rest(said: str) -> str | None:
    """What a yes-or-no question asks of its subject ("waterproof", "have a hood"); None when it is none or about stock."""
    if _THERE_IS.search(said):
        return None
    found = _YES_NO.match(said)
    if found is None or _STOCK.search(said) or re.search(r"\b(stores?|shops?|branch(es)?|outlets?)\b", said):
        return None
    rest = found["rest"]
    if re.match(
        r"\W*(have|has|got|sell|carry|keep|do) ((it|them|one|this|that|these|those|any|some)( \w+)?)?\W*$", rest
    ):
        return None
    if not rest.strip() or (not found["verb"] and _PLACE_NEXT.match(rest)):
        return None
    subject = found.group(0)[: found.start("rest") - found.start(0)]
    if (
        re.search(r"\bthe\b", subject)
        and re.search(r"\b(in|at|near) (the )?\w+$", rest)
        and not re.search(r"\bcomes?\b", rest)
    ):
        return None
    return rest.strip()
