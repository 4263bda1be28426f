"""Questions over paragraphs: read from SQuAD-shaped files, or made here from a fixed seed.

The made ones ask for what vectors alone miss: exact words (`ids`), words with a slip of the finger (`typos`), and
paragraphs that differ in a `not` (`negations`).
"""

import gzip
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_SEED = 15
_PLACES = (
    "Gull Rock",
    "Harrow Mill",
    "Saint Orban",
    "Low Ferry",
    "Kestrel Head",
    "Pine Quay",
    "Marrow Bay",
    "Old Lock",
)
_PARTS = ("pump", "valve", "relay", "gearbox", "heater", "sensor", "winch", "compressor", "alternator", "injector")
_FAULTS = ("overheats", "leaks oil", "will not start", "loses pressure", "runs backwards", "trips the breaker")
_CURES = ("replace the seal", "clean the filter", "tighten the clamp", "reset the board", "bleed the line")
_RULES = (
    "dogs are allowed",
    "bicycles are carried",
    "tickets are sold on board",
    "smoking is permitted",
    "the bar is open",
)
_VESSELS = ("the morning ferry", "the night boat", "the mail steamer", "the car ferry", "the island launch")


@dataclass(frozen=True, slots=True)
class Question:
    """A question, and the number of the paragraph that answers it."""

    text: str
    paragraph: int


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Paragraphs and questions about them."""

    name: str
    paragraphs: tuple[str, ...]
    questions: tuple[Question, ...]


def squad_sets(folder: Path) -> Iterator[QuestionSet]:
    """One set a file of the folder, `*.json` or `*.json.gz`, named as the file is. Paragraphs that are the same count
    as one."""
    for path in sorted([*folder.glob("*.json"), *folder.glob("*.json.gz")]):
        text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        numbers: dict[str, int] = {}
        questions = []
        for article in json.loads(text)["data"]:
            for paragraph in article["paragraphs"]:
                number = numbers.setdefault(paragraph["context"], len(numbers))
                questions += [Question(asked["question"], number) for asked in paragraph["qas"]]
        yield QuestionSet(path.name.removesuffix(".gz").removesuffix(".json"), tuple(numbers), tuple(questions))


def made_sets() -> Iterator[QuestionSet]:
    """The sets `ids`, `typos` and `negations`."""
    chance = random.Random(_SEED)
    faults = [_fault(chance, number) for number in range(200)]
    paragraphs = tuple(text for text, _, _ in faults)
    yield QuestionSet(
        "ids",
        paragraphs,
        tuple(
            Question(code if number % 2 else f"What is to be done about {code}?", number)
            for number, (_, code, _) in enumerate(faults)
        ),
    )
    yield QuestionSet(
        "typos",
        paragraphs,
        tuple(
            Question(f"What did {_slipped(chance, owner)} report?", number)
            for number, (_, _, owner) in enumerate(faults)
        ),
    )
    yield _negations()


def _fault(chance: random.Random, number: int) -> tuple[str, str, str]:
    """A paragraph on a fault, the code in it, and the name in it that no other paragraph has."""
    code = f"{chance.choice(('ERR', 'FLT', 'SVC'))}-{chance.randrange(1000, 9999)}-{chance.choice('QXKZ')}{number}"
    owner = "".join(chance.choice(("ka", "lo", "mi", "ren", "sto", "vel", "dor", "bri")) for _ in range(3)).title()
    owner += chance.choice(("sen", "ski", "ton", "berg", "ova")) + chance.choice("aeiou") * (number % 2)
    part, place = chance.choice(_PARTS), chance.choice(_PLACES)
    text = (
        f"At {place} the {part} {chance.choice(_FAULTS)}. {owner} reported it in week {chance.randrange(1, 53)} and the"
        f" panel showed {code}. The cure is to {chance.choice(_CURES)} and to run the {part} for"
        f" {chance.randrange(5, 60)} minutes before it is handed back."
    )
    return text, code, owner


def _slipped(chance: random.Random, word: str) -> str:
    """The word with two neighbouring letters in its inside swapped, or one left out."""
    at = chance.randrange(2, len(word) - 2)
    swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return swapped if swapped != word and chance.random() < 0.5 else word[:at] + word[at + 1 :]


def _negations() -> QuestionSet:
    paragraphs: list[str] = []
    questions: list[Question] = []
    for place in _PLACES:
        for number, (vessel, rule) in enumerate(zip(_VESSELS, _RULES, strict=True)):
            other = _VESSELS[(number + 1) % len(_VESSELS)]
            subject, verb, rest = _parts(rule)
            questions.append(Question(f"On which boat to {place} {verb} {subject} not {rest}?", len(paragraphs)))
            paragraphs.append(f"On {vessel} to {place} {subject} {verb} not {rest}, whatever the season.")
            questions.append(Question(f"On which boat to {place} {verb} {subject} {rest}?", len(paragraphs)))
            paragraphs.append(f"On {other} to {place} {subject} {verb} {rest}, whatever the season.")
    return QuestionSet("negations", tuple(paragraphs), tuple(questions))


def _parts(rule: str) -> tuple[str, str, str]:
    """`dogs are allowed` as subject, verb and what is said."""
    verb = " are " if " are " in rule else " is "
    subject, rest = rule.split(verb, 1)
    return subject, verb.strip(), rest
