"""General knowledge of shoppers' English: colours, people, garments, occasions. Nothing of any one catalogue.

All words are in the form that :mod:`shopfloor.tools.recommendation.text` makes of them (lower case, singular).
"""

from collections.abc import Mapping
from types import MappingProxyType

from shopfloor.tools.recommendation.thesaurus import THINGS

# A shade belongs to its family: who excludes blue excludes navy; who wants navy may be offered blue, with a note.
SHADES: Mapping[str, str] = MappingProxyType({
    "red": "red", "crimson": "red", "scarlet": "red", "burgundy": "red", "maroon": "red", "wine": "red",
    "ruby": "red", "cherry": "red", "rust": "red", "brick": "red",
    "blue": "blue", "navy": "blue", "cobalt": "blue", "azure": "blue", "indigo": "blue", "sky": "blue",
    "turquoise": "blue", "teal": "blue", "aqua": "blue", "cyan": "blue", "denim": "blue", "petrol": "blue",
    "green": "green", "olive": "green", "khaki": "green", "lime": "green", "mint": "green", "sage": "green",
    "emerald": "green", "forest": "green", "moss": "green",
    "yellow": "yellow", "mustard": "yellow", "lemon": "yellow", "ochre": "yellow", "amber": "yellow",
    "orange": "orange", "coral": "orange", "apricot": "orange", "peach": "orange", "terracotta": "orange",
    "purple": "purple", "violet": "purple", "lilac": "purple", "lavender": "purple", "mauve": "purple",
    "plum": "purple", "aubergine": "purple",
    "pink": "pink", "fuchsia": "pink", "magenta": "pink", "rose": "pink", "salmon": "pink", "blush": "pink",
    "brown": "brown", "tan": "brown", "chocolate": "brown", "coffee": "brown", "chestnut": "brown",
    "cognac": "brown", "camel": "brown", "walnut": "brown", "oak": "brown",
    "grey": "grey", "charcoal": "grey", "anthracite": "grey", "slate": "grey", "graphite": "grey",
    "black": "black", "jet": "black", "ebony": "black",
    "white": "white", "ivory": "white", "cream": "white", "ecru": "white", "offwhite": "white",
    "beige": "beige", "sand": "beige", "stone": "beige", "taupe": "beige", "oatmeal": "beige", "natural": "beige",
    "silver": "silver", "gold": "gold", "golden": "gold", "bronze": "gold", "copper": "gold", "brass": "gold",
    "multicolour": "multicolour", "multicoloured": "multicolour", "rainbow": "multicolour",
})  # fmt: skip

# These are colours wherever they stand; the other shades only where the catalogue lists them as colours.
SURE_COLOURS = frozenset({
    "red", "blue", "green", "yellow", "purple", "pink", "brown", "grey", "black", "white", "beige", "navy",
    "turquoise", "crimson", "scarlet", "mauve", "anthracite", "burgundy", "maroon", "khaki", "teal", "violet", "lilac", "magenta", "fuchsia", "ivory",
})  # fmt: skip

SPELLINGS: Mapping[str, str] = MappingProxyType({
    "gray": "grey", "color": "colour", "pajama": "pyjama", "pj": "pyjama", "jewelry": "jewellery",
    "multicolor": "multicolour", "multicolored": "multicolour", "moisturizer": "moisturiser", "blu": "blue",
    "pressie": "present", "prezzie": "present", "gifty": "gift", "xmas": "christmas", "prezzy": "present",
    "xxlarge": "xxl", "xlarge": "xl", "xsmall": "xs",
})  # fmt: skip

# What people call the same kind of thing. The first that the catalogue knows counts.
_KINDS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "pant": ("trouser", "jean", "legging"), "trouser": ("pant", "jean", "chino"), "jean": ("denim", "trouser", "pant"), "chino": ("trouser", "pant"), "slack": ("trouser", "pant"),
    "underwear": ("base layer", "thermal", "lingerie", "boxer", "brief"), 
    "jumper": ("sweater", "pullover", "knitwear"), "pullover": ("sweater", "jumper", "knitwear"),
    "sweater": ("jumper", "pullover", "knitwear"), "cardigan": ("sweater", "jumper", "knitwear"),
    "sweatshirt": ("hoodie", "sweater"), "hoody": ("hoodie",), "hoodie": ("sweatshirt",),
    "anorak": ("jacket", "coat"), "parka": ("coat", "jacket"), "raincoat": ("rain jacket", "rain coat", "coat", "jacket"),
    "windbreaker": ("wind jacket", "jacket"), "windcheater": ("wind jacket", "jacket"), "puffer": ("down jacket", "jacket"),
    "wellie": ("wellington", "rubber boot", "gumboot", "boot"), "wellington": ("wellie", "rubber boot", "boot"),
    "gumboot": ("wellie", "wellington", "boot"), "heel": ("pump", "court shoe"), "pump": ("heel",), "jacket": ("coat", "outerwear"), "coat": ("jacket", "outerwear"),
    "sneaker": ("trainer", "shoe", "footwear"), "trainer": ("sneaker", "shoe", "footwear"),
    "shoe": ("footwear", "sneaker"), "boot": ("footwear", "shoe"), "sandal": ("footwear", "shoe"),
    "footwear": ("shoe", "boot", "sneaker"), "slipper": ("footwear", "shoe"),
    "rucksack": ("backpack", "daypack", "pack", "bag"), "backpack": ("rucksack", "daypack", "pack", "bag"),
    "daypack": ("backpack", "rucksack", "bag"), "handbag": ("bag", "purse"), "purse": ("handbag", "bag", "wallet"),
    "brolly": ("umbrella",), "umbrella": ("parasol",), "thermos": ("flask", "vacuum flask", "bottle"), "flask": ("thermos", "bottle"),
    "headtorch": ("headlamp", "headlight", "torch"), "headlamp": ("headtorch", "headlight", "torch"),
    "torch": ("flashlight", "headlamp"), "flashlight": ("torch", "headlamp"), "cooker": ("stove", "hob"),
    "cutlery": ("flatware", "silverware"), "silverware": ("cutlery",), "saucepan": ("pan", "pot"), "cookware": ("pan", "cook set"),
    "teapot": ("tea pot",), "teacup": ("tea cup", "cup"), "cookie": ("biscuit",), "biscuit": ("cookie",),
    "eraser": ("rubber",), "diary": ("journal", "planner"), "hanger": ("hook",), "candlestick": ("candle holder",),
    "tealight": ("t light",), "bookmark": ("page marker",), "novel": ("book", "fiction"),
    "spanner": ("wrench",), "wrench": ("spanner",), "hoover": ("vacuum", "vacuum cleaner"), "vacuum": ("hoover",),
    "crisp": ("chip", "snack"), "soda": ("soft drink", "lemonade"), "candy": ("sweet", "confectionery"),
    "nappy": ("diaper",), "diaper": ("nappy",), "pram": ("pushchair", "stroller"), "stroller": ("pushchair", "pram"),
    "pushchair": ("stroller", "pram"), "tap": ("faucet",), "faucet": ("tap",), "bulb": ("lamp", "light"), "duvet": ("comforter",),    "beanie": ("hat", "headwear"), "cap": ("hat", "headwear"), "hat": ("headwear", "cap", "beanie"),
    "glove": ("mitten",), "mitten": ("glove",), "tshirt": ("top", "shirt"), "blouse": ("shirt", "top"),
    "vest": ("gilet", "waistcoat"), "gilet": ("vest",), "pyjama": ("nightwear", "sleepwear"),
    "nightgown": ("pyjama", "nightwear"), "tights": ("legging",), "legging": ("tight",),
    "sofa": ("couch",), "couch": ("sofa",), "rug": ("carpet",), "carpet": ("rug",), "cup": ("mug",), "mug": ("cup",),
    "lamp": ("light", "lighting"), "notebook": ("journal",), "laptop": ("computer",),
    "mobile": ("smartphone", "phone"), "phone": ("smartphone", "mobile"), "cellphone": ("smartphone", "phone"),
    "tv": ("television",), "television": ("tv",), "bike": ("bicycle",), "bicycle": ("bike",),
    "fridge": ("refrigerator",), "earphone": ("headphone", "earbud"), "headphone": ("earphone", "headset"),
    "necklace": ("jewellery",), "earring": ("jewellery",), "bracelet": ("jewellery",), "ring": ("jewellery",),
    "tent": ("shelter",), "swimsuit": ("swimwear",), "bikini": ("swimwear",), "bra": ("underwear", "lingerie"),
})  # fmt: skip
MAIN_KINDS = frozenset(_KINDS)  # things wherever they stand; a word of the thesaurus may be much else
KINDS: Mapping[str, tuple[str, ...]] = MappingProxyType({**THINGS, **_KINDS})

WIDE = frozenset({"plant"})  # who asks for one is shown the categories of all that it may be

# Other words for the very same thing: who asks for one is shown all. Words written together stand for "piggy bank" and so on.
_PACKS = ("backpack", "rucksack", "daypack", "day pack", "trekking pack", "hiking pack", "travel pack", "school bag")
_FRAMES = ("photo frame", "picture frame")
SAME: Mapping[str, tuple[str, ...]] = MappingProxyType({
    **dict.fromkeys(("backpack", "rucksack", "daypack"), _PACKS),
    **dict.fromkeys(("sneaker", "trainer"), ("sneaker", "trainer")),
    **dict.fromkeys(("jumper", "sweater", "pullover"), ("jumper", "sweater", "pullover")),
    **dict.fromkeys(("umbrella", "brolly"), ("umbrella", "brolly")),
    **dict.fromkeys(("wellie", "welly", "wellington", "gumboot"), ("wellie", "welly", "wellington", "gumboot")),
    **dict.fromkeys(("spanner", "wrench"), ("spanner", "wrench")),
    **dict.fromkeys(("torch", "flashlight"), ("torch", "flashlight")),
    **dict.fromkeys(("cookie", "biscuit"), ("cookie", "biscuit")),
    **dict.fromkeys(("eraser", "rubber"), ("eraser", "rubber")),
    **dict.fromkeys(("couch", "sofa", "settee"), ("couch", "sofa", "settee")),
    **dict.fromkeys(("headtorch", "headlamp"), ("headtorch", "headlamp", "head torch", "headlight")),
    **dict.fromkeys(("phone", "smartphone", "mobile", "cellphone"), ("phone", "smartphone", "mobile", "cellphone")),
    **dict.fromkeys(("earphone", "earbud"), ("earphone", "earbud")),
    **dict.fromkeys(("photoframe", "pictureframe"), _FRAMES),
    **dict.fromkeys(("piggybank", "moneybank", "moneybox"), ("piggy bank", "money bank", "money box", "moneybox")),
    **dict.fromkeys(("wrappingpaper", "giftwrap"), ("wrapping paper", "gift wrap", "giftwrap", "wrap")),
    **dict.fromkeys(("bunny", "rabbit"), ("bunny", "rabbit")),
    "longjohn": ("long john", "legging", "base layer", "thermal"), "teapot": ("teapot", "tea pot"),
})  # fmt: skip

# Who wants none of the first wants none of these.
KINDRED: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "wool": ("merino", "lambswool", "cashmere", "mohair", "alpaca", "angora"), "leather": ("suede", "nubuck"),
    "plastic": ("polyurethane", "polyethylene", "polypropylene", "pvc", "acrylic", "polystyrene"),
    "fur": ("sheepskin", "mink"), "nut": ("peanut", "almond", "hazelnut", "cashew", "walnut", "pistachio"),
})  # fmt: skip

GENDERS: Mapping[str, str] = MappingProxyType({
    **dict.fromkeys(("man", "male", "gent", "gentleman", "mens", "guy", "bloke", "him", "his", "husband", "hubby", "boyfriend",
                     "dad", "father", "daddy", "grandfather", "grandpa", "grandad", "uncle", "brother", "herren",
                     "masculine", "groom", "fiance", "bf", "lad", "bro", "papa", "chap", "fella", "fellow", "stepfather", "groomsman", "daddie"), "men"),
    **dict.fromkeys(("woman", "female", "lady", "womens", "her", "wife", "girlfriend", "mum", "mom", "mother", "mummy",
                     "grandmother", "grandma", "granny", "nan", "nana", "gran", "aunt", "auntie", "sister", "damen", "feminine", "bride",
                     "ladie", "fiancee", "gf", "missus", "lass", "sis", "mama", "bridesmaid", "wifey", "stepmother", "girlie"), "women"),
    **dict.fromkeys(("boy", "son", "grandson", "nephew", "stepson", "godson", "schoolboy"), "boys"),
    **dict.fromkeys(("girl", "daughter", "granddaughter", "niece", "stepdaughter", "goddaughter", "schoolgirl"), "girls"),
    **dict.fromkeys(("kid", "child", "toddler", "grandchild", "junior", "youth", "teen", "teenager", "teenage", "tween", "preschooler", "kiddie", "schoolchild", "godchild", "youngster", "kiddo"), "kids"),
    **dict.fromkeys(("baby", "newborn", "infant"), "baby"),
    "unisex": "unisex",
})  # fmt: skip

# Who asks for the first may be given products for any of the second. Products that say nothing fit everybody.
FITS: Mapping[str, frozenset[str]] = MappingProxyType({
    "men": frozenset({"men", "unisex"}),
    "women": frozenset({"women", "unisex"}),
    "boys": frozenset({"boys", "kids"}),
    "girls": frozenset({"girls", "kids"}),
    "kids": frozenset({"kids", "boys", "girls", "baby"}),
    "baby": frozenset({"baby"}),
    "unisex": frozenset({"unisex"}),
})  # fmt: skip

# Words that stand for a person but also for much else in product names; only after "for", "my", "a" do they count.
WEAK_GENDER = frozenset({"her", "his", "him", "baby", "ring", "bride", "groom", "ladie", "mother", "father"})

OCCASIONS = frozenset({
    "hiking", "running", "camping", "travel", "work", "office", "party", "wedding", "birthday", "christmas", "gift",
    "present", "school", "gym", "yoga", "beach", "summer", "winter", "spring", "autumn", "rain", "snow", "holiday",
    "picnic", "garden", "easter", "valentine", "halloween", "anniversary", "commute", "cycling", "fishing", "date",
    "outdoor", "sport", "workout", "fitness", "exercise", "gala", "ceremony", "funeral", "graduation", "conference", "business", "cocktail",
    "prom", "christening", "mountain", "interview", "vacation", "festival", "trekking", "climbing", "skiing", "swimming", "trip", "weekend",
})  # fmt: skip

# Days that presents are given on.
DATES = frozenset(
    {"christmas", "birthday", "easter", "valentine", "anniversary", "xmas", "hanukkah", "graduation", "diwali"}
)
PRESENTS = frozenset({"gift", "present"})

# Who does something asks for what it is done with.
DOERS: Mapping[str, str] = MappingProxyType({
    "hiker": "hiking", "runner": "running", "jogger": "running", "camper": "camping", "skier": "skiing", "cyclist": "cycling",
    "biker": "cycling", "traveller": "travel", "traveler": "travel", "climber": "climbing", "swimmer": "swimming",
    "gardener": "garden", "run": "running", "angler": "fishing", "fisherman": "fishing", "trekker": "trekking", "commuter": "commute",
    "swim": "swimming", "climb": "climbing", "camp": "camping", "jog": "running", "commutes": "commute",
    "hike": "hiking", "outside": "outdoor", "outdoors": "outdoor", "trek": "trekking", "ski": "skiing", "travelling": "travel", "traveling": "travel",
    "gardening": "garden", "commuting": "commute", "jogging": "running", "rainy": "rain", "snowy": "snow",
})  # fmt: skip

# What a product says of itself that is made for this; gifts and dates of the year are no such thing.
ACTIVITIES: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "hiking": ("hike", "trekking", "trail"), "trekking": ("hiking", "trek", "hike", "trail"), "running": ("run", "jogging"),
    "camping": ("camp",), "travel": ("travelling",), "work": ("office",), "office": ("work",), "gym": ("training", "yoga"),
    "yoga": (), "beach": ("sun", "summer", "swimming"), "rain": ("waterproof", "rainproof", "raincoat", "resistant"),
    "snow": ("winter", "ski"), "skiing": ("ski",), "winter": ("snow",), "summer": (), "cycling": ("bike", "bicycle"),
    "commute": ("commuter", "commuting"), "fishing": (), "climbing": ("climb",), "swimming": ("swim",),
    "outdoor": ("hiking", "camping", "trekking", "trail", "exterior", "outside"), "sport": ("running", "gym", "training", "fitness", "cycling"),
    "workout": ("gym", "training", "running", "fitness"), "fitness": ("gym", "training", "running"), "exercise": ("gym", "training", "running"),
    "gala": ("formal", "party"), "ceremony": ("formal",), "funeral": ("formal",), "graduation": ("formal", "party"), "prom": ("party", "formal"),
    "conference": ("office", "formal"), "business": ("office", "formal"), "cocktail": ("party", "formal"), "christening": ("formal", "party"),
    "mountain": ("hiking", "trekking", "climbing"), "interview": ("formal", "office"), "party": ("celebration",), "wedding": ("formal", "party"), "gift": (), "present": ("gift",),
})  # fmt: skip

# Never the kind of thing that is asked for, and never a word to search by.
EMPTY_WORDS = frozenset(["a", "an", "and", "any", "anything", "are", "as", "at", "be", "been", "but", "buy", "by", "can", "could", "d", "do", "does", "else", "fit", "fits", "find", "for", "from", "get", "give", "go", "good", "got", "great", "has", "have", "having", "he", "hello", "help", "hey", "hi", "how", "i", "if", "i'd", "in", "into", "is", "it", "its", "just", "kind", "let", "like", "ll", "look", "looking", "love", "m", "made", "make", "may", "maybe", "me", "might", "mine", "more", "most", "my", "need", "nice", "no", "not", "now", "of", "ok", "on", "one", "or", "our", "out", "over", "please", "pls", "prefer", "product", "products", "recommend", "recommendation", "request", "s", "see", "sell", "she", "shop", "show", "so", "some", "somebody", "someone", "something", "sort", "stuff", "such", "suggest", "suggestion", "sure", "t", "thank", "thanks", "that", "the", "their", "them", "then", "there", "these", "they", "thing", "things", "think", "this", "those", "to", "too", "try", "up", "us", "use", "very", "want", "wanted", "wants", "was", "we", "what", "when", "where", "which", "who", "will", "wish", "with", "without", "would", "yes", "you", "your", "ideal", "best", "nicest", "cool", "lovely", "beautiful", "pretty", "really", "quite", "rather", "available", "stock", "option", "options", "item", "items", "choose", "pick", "bring", "also", "ask", "well", "day", "year", "month", "old", "new", "about", "around", "under", "below", "above", "between", "less", "than", "only", "ever", "even", "again", "already", "both", "all", "same", "similar", "size", "sized", "colour", "coloured", "colored", "price", "priced", "cost", "costs", "budget", "cheap", "expensive", "cheaper", "affordable", "euro", "eur", "dollar", "usd", "pound", "gbp", "rupee", "inr", "quid", "buck", "last", "first", "second", "third", "fourth", "fifth", "next", "previous", "another", "other", "others", "different", "instead", "except", "per", "piece", "pair", "couple", "few", "lot", "lots", "number", "popular", "rated", "rating", "top", "bestseller", "bestselling", "premium", "luxury", "afford", "spend", "spending", "max", "maximum", "min", "minimum", "most", "least", "up", "exactly", "currently", "soon", "today", "tomorrow", "something's", "i'm", "don", "doesn", "isn", "aren", "won", "ain", "re", "ve", "am", "been", "being", "were", "had", "did", "done", "say", "said", "tell", "know", "could", "should", "must", "shall", "surprise", "ideas", "idea", "inspiration", "inspire", "gifts", "brand", "made-by", "wear", "wearing", "clothes", "clothing"]) | {"cheapest", "priciest", "dearest", "costliest", "fanciest", "much", "many", "service", "highest", "lowest", "greatest", "finest", "dearer", "pricier", "gift", "present", "person", "everyone", "everybody", "anyone", "anybody", "feel", "im", "id", "everything", "actually", "gear", "outfit", "cheapish", "lookin", "havent", "dont", "ur", "u", "wanna", "gonna", "gotta", "pair", "neither", "nor", "either", "forget", "each", "apiece", "every", "bit", "little", "nothing", "none", "dear", "pricey", "pricy", "costly", "steep", "hm", "hmm", "sth", "smth", "come", "comes"}  # fmt: skip

# Everyday words that are no slip of a shop's word and name no thing; they are searched for only where a name has them.
COMMON_WORDS = frozenset(
    ["about", "across", "after", "afternoon", "again", "against", "ago", "ahead", "allow", "alone", "along", "already", "although", "always", "among", "annoy", "answer", "anyway", "apart", "appear", "arrive", "ashamed", "aside", "asleep", "attend", "away", "awful", "bad", "badly", "bear", "become", "before", "began", "begin", "behind", "being", "believe", "belong", "better", "beyond", "blame", "bother", "bought", "brought", "busy", "call", "came", "care", "catch", "caught", "certain", "change", "check", "clear", "close", "come", "complain", "consider", "continue", "could", "count", "daily", "dear", "decide", "definitely", "depend", "deserve", "die", "difficult", "direct", "does", "done", "doubt", "drive", "during", "early", "easily", "easy", "eat", "either", "end", "enjoy", "enough", "especially", "evening", "every", "exact", "expect", "explain", "fail", "fairly", "fall", "family", "far", "fast", "fear", "feel", "felt", "final", "finally", "finish", "fine", "follow", "forever", "forget", "forgive", "former", "friend", "full", "funny", "further", "gave", "general", "give", "given", "glad", "goes", "going", "gone", "gotten", "greet", "guess", "guest", "half", "happen", "happy", "hard", "hardly", "hate", "hear", "heard", "held", "here", "hey", "hmm", "hm", "hold", "hope", "hour", "house", "however", "huge", "hurt", "ideal", "ideally", "idea", "imagine", "important", "include", "indeed", "insist", "inside", "intend", "involve", "join", "kept", "knew", "know", "large", "late", "later", "laugh", "learn", "leave", "left", "life", "likely", "listen", "live", "long", "longer", "lose", "lost", "loud", "lovely", "main", "manage", "many", "matter", "maybe", "mean", "meant", "meet", "mention", "mind", "miss", "moment", "month", "morning", "mostly", "mother", "move", "must", "myself", "name", "near", "nearly", "necessary", "never", "nevertheless", "next", "night", "nobody", "none", "normal", "nothing", "notice", "nowhere", "obviously", "occasionally", "offer", "often", "okay", "once", "open", "otherwise", "ought", "outside", "own", "pay", "perhaps", "place", "plan", "play", "please", "plenty", "point", "possible", "possibly", "practical", "prefer", "pretty", "pricey", "probably", "promise", "proper", "properly", "put", "quick", "quickly", "quiet", "reach", "ready", "real", "really", "reason", "redo", "regard", "regular", "remember", "remind", "reply", "rest", "return", "right", "room", "run", "safe", "sad", "same", "save", "saw", "search", "season", "second", "seem", "seen", "send", "sense", "sensible", "serious", "set", "several", "share", "should", "shoulder", "since", "sir", "sit", "slam", "slamming", "sometime", "sometimes", "somewhere", "sorry", "sort", "speak", "special", "spend", "stand", "start", "stay", "still", "stop", "stuck", "suddenly", "suggest", "suit", "suitable", "suppose", "sure", "surely", "take", "taken", "talk", "taste", "teach", "tend", "terrible", "terribly", "thank", "therefore", "think", "though", "thought", "tired", "together", "told", "tomorrow", "tonight", "took", "toward", "tried", "trip", "trouble", "true", "trust", "try", "turn", "type", "under", "understand", "until", "usual", "usually", "various", "wait", "walk", "want", "waste", "watch", "week", "weekend", "went", "whatever", "when", "whenever", "where", "whether", "while", "whole", "whose", "why", "wonder", "wonderful", "word", "work", "worry", "worse", "worst", "worth", "write", "wrong", "yesterday", "yet", "young", "pricy", "pricier", "costly", "steep", "guys", "folks", "dearest", "madam", "ma'am", "stuff", "gonna", "gotta", "kinda", "sorta", "lol", "btw", "thx", "plz", "tbh", "imo", "omg", "honestly", "frankly", "basically", "literally", "totally", "simply"]
) - frozenset({"watch", "walk", "season", "suit", "set", "run", "work", "trip", "weekend", "room", "house", "large", "long", "light", "clear"})  # fmt: skip

# How many, not what: a set of tea towels is tea towels.
UNITS = frozenset({"set", "pack", "packet", "bundle", "selection", "collection", "range", "piece", "pair"})

# The kind of thing asked for stands before one of these: "jacket FOR hiking WITH a hood".
BREAKS = frozenset({
    "for", "with", "in", "under", "below", "over", "above", "between", "from", "that", "which", "who", "to", "at",
    "by", "on", "about", "around", "without", "but", "not", "no", "like", "because", "so", "of", "less", "as", "up",
    "is", "size", "made", "if", "when", "near", "suitable", "using", "during", "match", "matches",
})  # fmt: skip

NUMBER_WORDS: Mapping[str, int] = MappingProxyType({
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17,
    "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60,
    "seventy": 70, "eighty": 80, "ninety": 90, "hundred": 100,
})  # fmt: skip

ORDINALS: Mapping[str, int] = MappingProxyType({
    "first": 0, "1st": 0, "second": 1, "2nd": 1, "third": 2, "3rd": 2, "fourth": 3, "4th": 3, "fifth": 4, "5th": 4,
    "sixth": 5, "6th": 5, "last": -1,
})  # fmt: skip

SIZE_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "extra small": ("xs", "extra small"), "small": ("s", "small"), "medium": ("m", "medium"),
    "large": ("l", "large"), "extra large": ("xl", "extra large"), "xxl": ("xxl", "2xl"), "2xl": ("2xl", "xxl"),
    "xxxl": ("xxxl", "3xl"), "3xl": ("3xl", "xxxl"), "one size": ("one size", "os"),
})  # fmt: skip


def gender_of(text: str, words: tuple[str, ...]) -> str | None:
    """Whom a product is for, from the shop's own gender column (``text`` unused words aside); None: it says nothing."""
    found = {GENDERS[word] for word in words if word in GENDERS}
    if not found or not text:
        return None
    if found == {"men", "women"}:
        return "unisex"
    if found <= {"boys", "girls", "kids", "baby"} and len(found) > 1:
        return "kids"
    return min(found)
