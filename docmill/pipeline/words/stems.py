"""Stems of words by language (Snowball, Porter 2001), and which language a text is in, told by its script and its
commonest words."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib import import_module
from typing import Any

from docmill.pipeline.words.tokens import folded

# The commonest words that tell a language from its neighbours.
_COMMON = {
    "english": "the of and to in is that for it with was on are by this be from not have which",
    "german": "der die und das den von zu mit sich des auf für ist im dem nicht ein eine als auch",
    "french": "le la les de des et du en un une est dans que qui pour pas au sur par plus",
    "spanish": "el la los las de que y en un una es por con para del se no al lo como",
    "italian": "il la di che e un una del della per non sono con dei gli nel alla è più come",
    "portuguese": "o a os as de que e do da em um uma para com não no na dos por mais",
    "dutch": "de het een van en in dat op te voor met zijn niet is aan er ook als bij door",
    "swedish": "och att det som en på är av för med till den har inte om ett var jag de från",
    "danish": "og at det er en til på af for med den ikke der har som et jeg fra de var",
    "norwegian": "og det er til på av for med en ikke som har jeg fra den et å var ble også",
    "finnish": "ja on ei että se oli hän mutta ovat kun niin myös mikä joka tai sen kuin voi",
    "hungarian": "a az és hogy nem is egy ez van volt csak már meg mint vagy ki még azt",
    "romanian": "și de la în pe cu nu care că un o este din pentru mai sau ca sunt fi",
    "turkish": "ve bir bu da de için ile çok daha ne gibi olarak olan kadar sonra var değil ama",
    "polish": "i w na z nie do się że to jest o jak po co tak za od ale przez dla",
    "czech": "a se v na je že o s z do to i za pro ale jako by po ve jsou",
}
_LANGUAGES_OF: dict[str, list[str]] = {}
for _name, _words in _COMMON.items():
    for _word in _words.split():
        _LANGUAGES_OF.setdefault(_word, []).append(_name)
_BY_SCRIPT = (
    (re.compile("[\u0400-\u04ff]"), "russian"),
    (re.compile("[\u0370-\u03ff]"), "greek"),
    (re.compile("[\u0600-\u06ff]"), "arabic"),
    (re.compile("[\u0900-\u097f]"), "hindi"),
    (re.compile("[\u0b80-\u0bff]"), "tamil"),
    (re.compile("[\u0530-\u058f]"), "armenian"),
)
_WORD = re.compile(r"[^\W\d_]+")
_SAMPLE = 2000
"""Characters of a text that are looked at."""


def language(text: str) -> str | None:
    """The language of a text, None where nothing tells it."""
    sample = text[:_SAMPLE].lower()
    if not sample.isascii():
        for script, name in _BY_SCRIPT:
            if len(script.findall(sample)) * 4 > len(sample):
                return name
    votes = Counter(name for word in _WORD.findall(sample) for name in _LANGUAGES_OF.get(word, ()))
    best = votes.most_common(2)
    if not best or (len(best) > 1 and best[0][1] == best[1][1]):
        return None
    return best[0][0]


def languages_of_query(text: str) -> Sequence[str]:
    """The languages whose stems a query's words are tried with: its own, or all of its script when it is too short to
    tell."""
    told = language(text)
    return (told,) if told else tuple(_COMMON)


@lru_cache(maxsize=100_000)
def stem(word: str, language: str) -> str:
    """The stem of a word in lower case, folded as words are."""
    return folded(_stemmer(language).stemWord(word))


@cache
def _stemmer(language: str) -> Any:
    # Not snowballstemmer.stemmer(): where PyStemmer happens to be installed, it has other languages and older rules.
    module = import_module(f"snowballstemmer.{language}_stemmer")
    return getattr(module, f"{language.title()}Stemmer")()
