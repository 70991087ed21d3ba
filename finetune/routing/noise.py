"""How people type in a chat: no capitals, no full stops, short forms, slips of the finger."""

import random
from collections.abc import Mapping

SHORT: Mapping[str, tuple[str, ...]] = {
    "you": ("u", "you", "ya"),
    "your": ("ur", "your", "youre"),
    "please": ("pls", "plz", "please", "kindly"),
    "are": ("r", "are"),
    "and": ("&", "n", "and"),
    "because": ("bcz", "coz", "cause"),
    "to": ("2", "to", "to", "to"),
    "for": ("4", "for", "for", "fr"),
    "want": ("wanna", "want", "wnt"),
    "with": ("w", "with", "wid"),
    "the": ("the", "the", "da", "teh"),
    "what": ("wat", "what", "wht"),
    "is": ("is", "s", "iz"),
    "have": ("hav", "have", "hve"),
    "how": ("how", "hw"),
    "my": ("my", "mi"),
    "good": ("gud", "good"),
    "available": ("availble", "avail", "avaliable", "available"),
    "delivery": ("delivry", "dilevery", "delivery"),
    "recommend": ("recomend", "reccomend", "recommend"),
}
OPENERS = ("hi", "hello", "hey", "hi there", "hello sir", "sir", "good morning", "excuse me", "dear team", "bro", "ok")
CLOSERS = ("thanks", "please", "pls", "thank you", "asap", "thx", "sir", "bro", "??", "...", "!")
KEYS: Mapping[str, str] = {
    "a": "sq",
    "b": "vn",
    "c": "xv",
    "d": "sf",
    "e": "wr",
    "f": "dg",
    "g": "fh",
    "h": "gj",
    "i": "uo",
    "j": "hk",
    "k": "jl",
    "l": "k",
    "m": "n",
    "n": "bm",
    "o": "ip",
    "p": "o",
    "q": "w",
    "r": "et",
    "s": "ad",
    "t": "ry",
    "u": "yi",
    "v": "cb",
    "w": "qe",
    "x": "zc",
    "y": "tu",
    "z": "x",
}


def chat_style(text: str, rng: random.Random) -> str:
    """The text as somebody might type it; most stay as they are but for capitals and punctuation."""
    if rng.random() < 0.18:
        text = " ".join(rng.choice(SHORT.get(word.lower(), (word,))) for word in text.split())
    if rng.random() < 0.07:
        text = f"{rng.choice(OPENERS)}{rng.choice((' ', ', ', ' '))}{text}"
    if rng.random() < 0.05:
        text = f"{text} {rng.choice(CLOSERS)}"
    if rng.random() < 0.16:
        text = slip(text, rng)
    if rng.random() < 0.3:
        text = text.rstrip("?.! ")
    return _cased(text, rng)


def slip(text: str, rng: random.Random) -> str:
    """One typing mistake in a word of four letters or more."""
    words = text.split(" ")
    long = [place for place, word in enumerate(words) if len(word) >= 4 and word.isalpha()]
    if not long:
        return text
    place = rng.choice(long)
    word = words[place]
    at = rng.randrange(1, len(word) - 1)
    kind = rng.randrange(4)
    if kind == 0:
        word = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    elif kind == 1:
        word = word[:at] + word[at + 1 :]
    elif kind == 2:
        word = word[:at] + word[at] + word[at:]
    else:
        word = word[:at] + rng.choice(KEYS.get(word[at].lower(), word[at])) + word[at + 1 :]
    return " ".join([*words[:place], word, *words[place + 1 :]])


def _cased(text: str, rng: random.Random) -> str:
    draw = rng.random()
    if draw < 0.45:
        return text.lower()
    if draw < 0.85:
        return text[:1].upper() + text[1:]
    if draw < 0.88:
        return text.title()
    return text
