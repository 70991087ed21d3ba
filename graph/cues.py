"""What words in a message say about it: small pure tests over lower-cased text. English; no shop's own words."""

import re

MAX_FOLLOW_UP_WORDS = 12

_STOCK = re.compile(
    r"\b(other (store|shop|branch)\w*|which of (your|the) (stores|shops|branches)|(stores|shops|branches|cities|towns) (carry|have|stock|sell|with)|in[- ]stock|stock(ed|s)?|availab\w+|sold out|run out|any (left|store|shop|branch)|(which|what) (store|shop|branch)\w*"
    r"|^where (is|are) (it|they|that|those|this|that one)( then| now| please)?$|near(est|by)? (store|shop|branch|me|one)|how many|units?(?! (?:price|cost|weight|size))|left in|are left|is left|pick (it|them|one) up|reserve|online"
    r"|which (one|of (the|them|those|these)( two| three)?) (has|have|stocks?|carr(y|ies)|sells?) (it|them|one|any)\b|where (can|could|do) i (get|buy|find|see|try)|(have|got|carry|sell) (it|this|that|them|these|those|one|any)\b|(?<!how long does )\bkeep (it|this|that|them|these|those|one|any)\b(?! (hot|cold|warm|cool|dry|fresh|clean|safe))"
    r"|(if|whether) [\w-]+ (is|are) (in|at)|(is|are|was) (it|this|that|they|these|those|everything|all of it|the \w+( \w+)?( one)?) (in|at|near|there|also in|still)\b)"
)
_PRONOUN = re.compile(
    r"\b(it|its|this|that|this one|that one|them|they|these|those|the one|one|same|both|all of (them|it)|everything)\b"
)
_PLURAL = re.compile(
    r"\b(them|they|these|those|both|everything|all of it|all (of )?(them|these|three|two|four|five))\b"
)
_CHEAPER = re.compile(
    r"\b(cheaper|cheapest|less expensive|lower[- ]priced?|too (expensive|dear|pricey|costly|much)|more affordable"
    r"|can'?t afford|over my budget|less money|bit cheap)\b"
)
_COMPARATIVE = re.compile(
    r"\b(warmer|lighter|bigger|smaller|larger|longer|shorter|nicer|better|darker|brighter|thicker|thinner|heavier|softer"
    r"|dressier|smarter|simpler|stronger|tougher|faster|quieter|newer|older|looser|tighter|wider|narrower|fancier|cosier"
    r"|more (?!on\b|about\b|info|details?\b)\w+|less \w+|dearer|pricier)\b"
)
_OTHERS = re.compile(
    r"\b((something|anything|someth) (else|different|similar|like (it|this|that|the))|(any )?other(?! (?:store|shop|branch|cit|town|place)) (options?|ones?|colou?rs?"
    r"|choices?|models?|ideas?|suggestions?)|different (ones?|colou?rs?|styles?|brands?)|(show|give|send) me (some )?(more|others?"
    r"|another)|more (options?|choices?|ideas|like (it|this|that|these|the))|similar (ones?|to)|alternatives?|another one"
    r"|what else|any others?\b(?! (?:store|shop|branch|cit|town|place))|anything else (like|in|for|with)|else do you have|don'?t like (it|them|these|those|any)"
    r"|not (these|those|that one|this one))\b|^(ok |and |some |any )*(more|others|next)( ones| please)*$"
)
_LIMIT = re.compile(
    r"^(ok |okay |and |but |only |maybe |something |anything |one |ones |perhaps )*(under|below|less than|up to|max(imum)?|at most"
    r"|no more than|around|about|over|above|between|within) [^a-z]{0,4}\d+"
)
_FURTHER = re.compile(
    r"\b(?:what if|if|could|can|might|would|maybe|ok|okay|let'?s|let me|i'?ll|i'?d|suppose) (?:i |we |me |it )?(?:could |can |would |were to )?"
    r"(?:go|went|going|spend|spent|pay|paid|stretch(?:ed)?|raised?)(?: it| that)?(?: (?:up|to|as far as|as high as|a bit|more)){0,3} [^a-z]{0,4}\d+[^a-z]*(?:euros?|eur|pounds?|dollars?|bucks|quid)?\W*$"
)
_FOR_SO_MANY = re.compile(
    r"\b(?:so|now|but|then|actually|make it|it'?s|we'?re|we are|there are)\b[ ,]*(?:for )?(?:two|three|four|five|six|[2-9])(?: people| persons| of us)?$"
)
_NEGATED = re.compile(
    r"^(ok |okay |but |and |please |just )*(not|no|without|except|nothing|anything but) (?!thank|problem|idea)\w+"
)
_ONLY = re.compile(
    r"^(and |ok |okay |but |no |please )*((only|just) (?!(look|brows|check|want|need|ask)\w*\b)([\w-]+ ?){1,4}"
    r"|(the |some |any |only |just |maybe )*[\w-]+( [\w-]+)? ones)( please| instead| then)*$"
)
_ALSO_FOR = re.compile(
    r"\b(have|got|come|comes|make|sell) (it|them|these|those|this|that|any|one|ones|something) for (?!me\b)(a |an |my |the )?\w+$"
)
_OWNED = re.compile(
    r"(and |but |so )?(i|we|he|she|they)( have|'ve|'s| has)?( already| just)? (have|has|own|owns|got|bought) (?!to\b|been\b)[^?]*$",
    re.IGNORECASE,
)
_ALSO = re.compile(
    r"^(?!.*\b(thanks?|you|me|bye)\b)(and |ok |oh |maybe )*([\w-]+ ){1,4}(too|also|as well)$|^and (a |an |some |maybe )*([\w-]+ ?){1,3}$"
)
_FOR_WHOM = re.compile(
    r"^(and |but |also |or |what about |how about |maybe |it'?s |something |one |ones )*for (?!how\b|what\b|which\b)(a |an |my |the |his |her )?(\w+,? ){0,5}\w+$"
)
_IN_WHAT = re.compile(
    r"^(and |but |or |also |then |ok |okay |maybe |what about |how about |do you have |have you got |you have |got |is there |are there |can i get |i'?d (like|prefer|want) )*"
    r"(it |this |that |them |these |those |one |ones |the same |same |something |anything |any )*(in|with) (?P<what>.+)$"
)
_WHAT_ABOUT = re.compile(
    r"^(and |ok |okay |so |hmm |well |then |cool |great |right |nice |fine |any |one |some |got any |got one |have one |is there any |is there one |are there any |do you have any |do you have one )*(what about|how about|and|or|also|maybe|in|at|near) (in |at |near |the )*(?P<what>.+)$"
)
_DETAILS = re.compile(
    r"\b(tell me( more| about)?|more (about|on)|more info\w*|details?|describe|what('s| is) (it|that|this) (like|made)|made of"
    r"|material|how much (is|are|does|do|would)|what('s| is| are)? the price|price of|what does (it|that) cost|which colou?rs?|what colou?rs?"
    r"|what sizes?|which sizes?)\b"
)
_CHOOSE = re.compile(
    r"\b(i'?ll take|i (like|want|prefer|choose|pick)|let'?s (take|go with)|go (with|for)|i'?d (take|go|like))\b"
)
_WHICH = re.compile(
    r"^(so |and |ok |okay )*(which ones\b|(which|what)( one)?( of (these|them|those|the (two|three)))?( one)?"
    r"( (is|are|has|do|does|would|should|looks?|costs?|keeps?)\b|$))|^compare\b|\bthe difference\b"
)
_ANOTHER_COLOUR = re.compile(
    r"^(do you have|have you got|is there|can i (get|have)|show me|i'?d like).* in (?P<what>[\w ]+)$"
)
_SIZE = re.compile(
    r"\b(size|in an?|in) (?P<size>(xxs|xs|s|m|l|xl|xxl|xxxl|[2-5]xl|extra small|small|medium|large|extra large|\d{1,3}(\.5)?))\b"
)
_YES = re.compile(
    r"(yes|yeah|yep|yup|sure|ok|okay|please|please do|of course|exactly|right|correct|that'?s (it|right|the one)|that one"
    r"|yes please|go ahead|do it|absolutely|definitely|perfect|sounds good)( (please|thanks|thank you|that one|that'?s it|do))*"
)
_NO = re.compile(
    r"(no|nope|nah|neither|none|none of (them|these|those)|no thanks?|no thank you|not really|never ?mind|forget it|cancel"
    r"|something else|leave it)( (thanks?|thank you|please))*"
)

_GROWN_UP = re.compile(
    r",? ?\b(?<!\d )(?<!two )(?<!three )(?<!four )(?:but |only |just )*(?:for |in )?(?:an? |the )?(?:adult'?s?|grown[- ]?up'?s?)(?: only| please| sizes?| ones?)*(?=\W*$|[,.;!?]| (?:and is|is|in|under|below|that|with|which|who|please)\b)"
    r"|(?:,? but|,)? ?\bnot (?:for )?(?:the |my |any )?(?:kids?|child(?:ren)?)\b",
    re.IGNORECASE,
)
_PRICE = re.compile(r"\b(costs?|price|how much (is|are|does|do|would)|how much,|how much and)")
_WHICH_PLACES = re.compile(r"\b(which|what) (other )?(cities|towns|stores|shops|branches|places)\b")
_CHILDREN = re.compile(r"\b(and|or|with) (\w+ )?(kids?|child(ren)?)\b", re.IGNORECASE)
_STANDS_FOR = re.compile(
    r"\b(?:the|this|that) (?:\w+ ){0,2}one\b|\b(?:this|that|these|those)(?= (?:in|at|near|available|still|left|is|are)\b|\W*$)"
    r"|(?<!\bis )\b(?:it|them|they)\b|(?<=\bis )it\b",
    re.IGNORECASE,
)

_CORRECTS = re.compile(
    r"^(?:(?:(?:sorry|oops|hmm+|no|nope|wait|actually|well|ah|oh|hang on)\s*,\s*|(?:sorry|hmm+|oops|actually|oh|ah|wait)\s+(?=\w))"
    r"(?:i (?:mean|meant)\s+)?|i meant\s+|make that\s+|(?:(?:let'?s )?(?:go )?|ok(?:ay)?,? )back to (?=the |those |these |my )(?:the |those |these |my )?)+",
    re.IGNORECASE,
)
_EXCLAIMS = re.compile(
    r"^(?:(?:kk?|lol|haha+|oh|ah|aha|hm+|erm|yay|ugh|phew)\b[,.! ]+"
    r"|(?:wow|ouch|nice|cool|great|perfect|lovely|brilliant|splendid|super|fine|alright|all right|right|good(?: one)?|i see|ok(?:ay)?|yeah|thanks|thank you|cheers)"
    r"(?=[,.!])[,.! ]+)+(?=\w)",
    re.IGNORECASE,
)
_HESITATES = re.compile(r"(?:,\s*)?\b(?:u+[hm]+|e+r+m?|you know)\b,?(?=\s|$)", re.IGNORECASE)
_QUESTION = re.compile(
    r"^(?:(?:so|and|but|ok|okay|hmm|well|also|then|great|thanks|cool)\b[ ,]*)*"
    r"(is|are|was|does|do|did|can|could|will|would|has|have|what|what's|whats|which|how|hw|who|whose|where|when|for how|in what|at what|isn't|doesn't|won't)\b"
)
_STOCK_ITSELF = re.compile(
    r"^where (is|are) (it|they|that|those|this|that one)\b|\b(stock\w*|availab\w+|sold out|left|stores?|shops?|branch\w*|how many (are|do you|of|have|units)|how many$|units?|near\w*|pick (it|them) up|reserve|buy|get it|online"
    r"|(have|got|carry|sell|keep) (it|this|that|them|these|those|one|any)|(it|this|that|they|these|those|one) (in|at|near|also in|there))\b"
)

_SELLS = re.compile(
    r"\b(?:do|does) (?:you|u|ya|the shop|this shop) (?:guys )?(?:also |even )?(?:sell|have|carry|stock|do)\b|\bgot any\b"
)
_PLACE_IN_LIST = re.compile(
    r"\b(?:(?:the|your|that|this) )?(?:first|second|third|fourth|fifth|last|1st|2nd|3rd|4th|(?:number|no\.?|option|item) ?(?:\d|one|two|three|four)) ones?\b"
    r"|\b(?:the|your|that) (?:first|second|third|fourth|fifth|last|1st|2nd|3rd)\b(?= (?:in|at|near|is|available)\b|\W*$)",
    re.IGNORECASE,
)
_DOUBTS = re.compile(
    r"^.{0,40}?\b(?:you|u) (?:guys |people )?(?:probably |surely |also )*(?:do ?n[o']?t|won'?t|wouldn'?t) (?:even |also )?(?:have|sell|stock|carry) (?:any )?",
    re.IGNORECASE,
)
_PACKS = re.compile(
    r"\b(?P<n>\d{1,3}|two|three|four|five|six|seven|eight|nine|ten|a dozen) (?:packs?|pairs?|pieces?|pcs|units?|boxes|sets)\b(?: of (?:it|them|those|these|that))?",
    re.IGNORECASE,
)
_IN_A_PACK = re.compile(
    r"\bhow many [\w ]{0,20}?\b(?:are |come |is |do i get )?(?:there )?(?:in|per) (?:(?:a|an|one|each|the|every) )?(?:pack|box|set|pair|bag|case|bottle|kit|roll|bundle|packet)s?\b"
)
SPLIT = re.compile(
    r"[,;.?!]+\s+(?:and |also |then |plus )*|\s+(?:and|also|plus)\s+(?=(?:is|are|do|does|can|could|have|has|how|which|where|what|if|whether"
    r"|tell|check|see|let|recommend|suggest|show|find|i)\b)",
    re.IGNORECASE,
)


def normal(text: str) -> str:
    """Lower case, one space between words, no end punctuation, straight apostrophes."""
    return re.sub(r"\s+", " ", text.replace("’", "'").casefold()).strip(" \t\n.!?,;:")


def words(text: str) -> list[str]:
    """The words of a text, lower-cased."""
    return re.findall(r"[^\W_]+(?:'[^\W_]+)?", text.casefold())


def is_short(text: str) -> bool:
    """Short enough to lean on what was said before."""
    return len(words(text)) <= MAX_FOLLOW_UP_WORDS


def corrected(text: str) -> str:
    """A message without the words that only take back the last one: "sorry, I meant Vancouver"."""
    rest = _CORRECTS.sub("", _HESITATES.sub("", text.strip()))
    said = _EXCLAIMS.sub("", rest)
    return next((one for one in (said, rest) if words(one)), text)


def is_question(text: str) -> bool:
    """Begins as a question does."""
    return _QUESTION.match(text) is not None


def stock_words(text: str) -> bool:
    """Speaks of stock itself, not only of a thing that is somewhere."""
    return _STOCK_ITSELF.search(text) is not None


def asks_stock(text: str) -> bool:
    """Asks whether, where or how many there are."""
    return _STOCK.search(_IN_A_PACK.sub(" ", text)) is not None


def has_pronoun(text: str) -> bool:
    """Speaks of something named before."""
    return _PRONOUN.search(text) is not None


def is_plural(text: str) -> bool:
    """Speaks of several things named before."""
    return _PLURAL.search(text) is not None


def refines(text: str) -> bool:
    """Asks for the last request again with a change."""
    return any(
        cue.search(part)
        for part in {text, re.split(r"[.!?;]\s+", text)[-1]}
        for cue in (
            _CHEAPER,
            _COMPARATIVE,
            _OTHERS,
            _LIMIT,
            _FURTHER,
            _FOR_SO_MANY,
            _NEGATED,
            _ONLY,
            _ALSO_FOR,
            _FOR_WHOM,
        )
    )


def also_for(text: str) -> bool:
    """Asks for what is shown, for somebody else."""
    return _ALSO_FOR.search(text) is not None


def without_owned(text: str) -> str:
    """A wish without the sentences that say what the shopper has already: "We have a tent. Which mats do you suggest?"."""
    parts = re.split(r"(?<=[.!?;])\s+", text.strip())
    kept = [part for part in parts if _OWNED.match(part) is None]
    return " ".join(kept) if kept else text


def without_self(text: str) -> str:
    """A change of a wish without "for me", which says nothing new of the person: too heavy for me."""
    left = re.sub(r"\s*\bfor me\b(?! and\b)", "", text, flags=re.IGNORECASE)
    return left if words(left) else text


def without_doubt(text: str) -> str:
    """A wish put as a doubt of the shop, as the question it is: you don't have umbrellas either."""
    said, count = _DOUBTS.subn("do you have ", text, count=1)
    return re.sub(r"[,\s]*\b(?:either|do you|i guess|i suppose|right)\b\W*$", "", said) if count else text


def for_grown_ups(text: str) -> str:
    """A wish "for adults" or "not for kids" in the words that the recommendation agent reads: no kids."""
    if _GROWN_UP.search(text) is None or _CHILDREN.search(text) is not None:
        return text
    said = _GROWN_UP.sub(", no kids", text, count=1)
    return re.sub(r"^\W+", "", said)


def begins_with_place(text: str, place: str) -> bool:
    """Begins with the place that is asked about: in Tokyo too?"""
    return (
        re.match(
            rf"(?:(?:and|or|also|ok|so)\b[, ]*)*(?:in|at) (?:the |your )?{re.escape(place)}\b", text, re.IGNORECASE
        )
        is not None
    )


def asks_range(text: str) -> bool:
    """Asks whether the shop has such a thing: do you sell bikes."""
    return _SELLS.search(normal(text)) is not None


def asks_price(text: str) -> bool:
    """Asks what something costs, among other things."""
    return _PRICE.search(text) is not None


def asks_where(text: str) -> bool:
    """Asks which of several places, so no one place is meant."""
    return _WHICH_PLACES.search(text) is not None


def adds(text: str) -> bool:
    """Names one more thing: boots too, and a hat."""
    return _ALSO.match(text) is not None


def asks_details(text: str) -> bool:
    """Asks what a product is like or costs."""
    return _DETAILS.search(text) is not None


def compares(text: str) -> bool:
    """Asks which of several."""
    return _WHICH.search(text) is not None


def colour_wish(text: str) -> str | None:
    """What follows the last "in" of "do you have … in …"."""
    match = _ANOTHER_COLOUR.match(text)
    return match["what"] if match else None


def chooses(text: str) -> bool:
    """Settles on a product."""
    return _CHOOSE.search(text) is not None


def size_in(text: str) -> str | None:
    """The size a message names after "size" or "in"."""
    match = _SIZE.search(text)
    return match["size"] if match else None


def in_what(text: str) -> str | None:
    """What follows in "and in …", "do you have it in …"."""
    match = _IN_WHAT.match(text)
    return match["what"] if match else None


def what_about(text: str) -> str | None:
    """What follows in "what about …", "and …", "in …"."""
    match = _WHAT_ABOUT.match(text)
    return match["what"] if match else None


def says_yes(text: str) -> bool:
    """Agrees, and says nothing else."""
    return _YES.fullmatch(text.replace(",", "")) is not None


def says_no(text: str) -> bool:
    """Declines, and says nothing else."""
    return _NO.fullmatch(text.replace(",", "")) is not None


def asking_part(text: str) -> str:
    """A stock question without the sentences before it, and with "ten packs" as "ten of it": for a product that is known."""
    parts = re.split(r"(?<=[.!;?])\s+", text.strip())
    asking = [part for part in parts if _STOCK.search(normal(part)) or "?" in part]
    said = " ".join(asking) if asking and len(asking) < len(parts) else text
    said = _PLACE_IN_LIST.sub("it", said)
    return _PACKS.sub(lambda found: f"{found['n']} of it", said)


def with_name(text: str, name: str) -> str:
    """The text with its first word that stands for a product ("it", "the second one") replaced by a name."""
    return _STANDS_FOR.sub(lambda _: name, text, count=1)
