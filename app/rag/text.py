"""Words of questions and documents: normalising, stemming, stop words, and a guess at the language."""

import hashlib
import re
import threading
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import snowballstemmer

_COMMON_WORDS = {
    "en": (
        "a about above after all also am an and any are as at be because been before being below between both but by "
        "can could did do does doing down during each few for from further had has have having he her here hers him "
        "his how i if in into is it its just let me might more most must my no nor not of off on once only or other "
        "our ours out over own per please s same shall she should so some such t tell than that the their them then "
        "there these they this those through to too under until up upon us very was we were what when where which "
        "while who whom whose why will with would you your yours"
    ),
    "de": (
        "aber als am an auch auf aus bei bin bis das dass dem den der des die durch ein eine einem einen einer es für "
        "haben hat ich im in ist kann mein mit nach nicht noch nur oder sich sie sind über um und uns unser von vor "
        "wann war was wie wir wird wo zu zum zur"
    ),
    "es": (
        "a al como con cuál cuáles cuándo cuánto cuántos de del dónde el ella en entre era es esta este fue ha hay la "
        "las lo los más mi no nos o para pero por qué quién se ser si sin sobre son su sus también tiene un una y"
    ),
    "fr": (
        "à au aux avec ce ces comment dans de des du elle en est et être il je la le les leur lui mais mon ne nous on "
        "ou où par pas pour qu quand que quel quelle qui sa se ses son sont sur un une vous y"
    ),
    "hi": (
        "और का की के को में से है हैं था थे थी पर ने यह वह एक क्या कौन कब कहाँ कैसे कितने "
        "कितना किस किसी लिए साथ भी नहीं तक हो कर इस उस जो"
    ),
    "it": (
        "a ai al alla che chi come con da dal dei del della di dove e è gli ha i il in la le lo ma mi nel nella non o "
        "per più quale quando quanto si sono su un una"
    ),
    "nl": (
        "aan als bij dat de den die dit een en er het hoe ik in is kan met mijn naar niet of om op te uit van voor wat"
    ),
    "pt": (
        "a ao aos as às com como da das de do dos e é em entre era foi há mais mas na nas não no nos o onde os ou para "
        "pela pelo por qual quando que quem se sem ser seu sua são um uma"
    ),
}
STOP_WORDS = {language: frozenset(words.split()) for language, words in _COMMON_WORDS.items()}

_STEMMERS = {
    "ar": "arabic",
    "de": "german",
    "en": "english",
    "es": "spanish",
    "fr": "french",
    "hi": "hindi",
    "it": "italian",
    "nl": "dutch",
    "pt": "portuguese",
    "ru": "russian",
    "sv": "swedish",
    "ta": "tamil",
}
_SCRIPTS = (
    (re.compile(r"[\u0900-\u097f]"), "hi"),
    (re.compile(r"[\u0400-\u04ff]"), "ru"),
    (re.compile(r"[\u0600-\u06ff]"), "ar"),
    (re.compile(r"[\u0b80-\u0bff]"), "ta"),
    (re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]"), "zh"),
)
# Letters with the marks that Indic and Thai scripts put on them (not \w to Python), or numbers with their separators.
_WORD = re.compile(
    r"\d+(?:,\d{3})+(?:\.\d+)?(?!\d)|\d+\.\d+(?![\d.])|(?:[^\W_]|[\u0300-\u036f\u0900-\u0963\u0971-\u0dff\u0e31-\u0e4e])+"
)
_IDEOGRAPHS = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]+")
_LATIN_MARKS = re.compile(r"[\u0300-\u036f]")
_threads = threading.local()


class Word(NamedTuple):
    """A word of a text: its stem, and where it stands (characters)."""

    stem: str
    start: int
    end: int


def words(text: str, language: str = "en") -> Iterator[Word]:
    """Every word in order, stop words too; Chinese and Japanese runs come as overlapping pairs of characters."""
    for match in _WORD.finditer(text):
        start, end = match.span()
        if _IDEOGRAPHS.fullmatch(match[0]) and end - start > 2:
            for at in range(start, end - 1):
                yield Word(text[at : at + 2], at, at + 2)
        else:
            yield Word(stem(match[0], language), start, end)


def stems(text: str, language: str = "en") -> list[str]:
    """The stems of the words that carry meaning: no stop words."""
    unwanted = _stemmed_stop_words(language)
    return [word.stem for word in words(text, language) if word.stem not in unwanted]


@lru_cache(maxsize=100_000)
def stem(word: str, language: str = "en") -> str:
    """The normalised stem of one word: `Policies` and `policy`, `1,911` and `1911`, `Zoë` and `zoe` are one."""
    plain = _LATIN_MARKS.sub("", unicodedata.normalize("NFKD", word.casefold()))
    if plain[:1].isdecimal():
        return plain.replace(",", "").removesuffix(".00")
    return _stem_plain(unicodedata.normalize("NFC", plain), language)


def _stem_plain(word: str, language: str) -> str:
    if language not in _STEMMERS:
        return word
    # A stemmer keeps its state in itself, so each thread has its own.
    stemmers: dict[str, snowballstemmer.stemmer] = _threads.__dict__
    if language not in stemmers:
        stemmers[language] = snowballstemmer.stemmer(_STEMMERS[language])
    return str(stemmers[language].stemWord(word))


@lru_cache(maxsize=64)
def _stemmed_stop_words(language: str) -> frozenset[str]:
    return frozenset(stem(word, language) for word in STOP_WORDS.get(language, ()))


def is_stop_word(stemmed: str, language: str = "en") -> bool:
    """Whether a stem is too common in its language to carry meaning."""
    return stemmed in _stemmed_stop_words(language)


@lru_cache(maxsize=100_000)
def term_id(stemmed: str) -> int:
    """64 bits that stand for a stem in an index."""
    return int.from_bytes(hashlib.blake2b(stemmed.encode(), digest_size=8).digest(), "little")


def guess_language(text: str) -> str:
    """ISO 639-1 code by script, then by the commonest words; `en` when nothing speaks for another."""
    sample = text[:5000]
    letters = sum(character.isalpha() for character in sample) or 1
    for script, language in _SCRIPTS:
        if len(script.findall(sample)) > 0.3 * letters:
            return language
    found = sample.casefold().split()
    counts = {language: sum(word in common for word in found) for language, common in STOP_WORDS.items()}
    best = max(counts, key=lambda language: (counts[language], language == "en"))
    return best if counts[best] > counts["en"] else "en"
