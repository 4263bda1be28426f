"""How often text comes out right whose encoding nothing tells, by our guess and by another's on the same bytes.

    python -m benchmarks.encodings [--corpus DIR] [--json FILE]

The texts are the sample sentences of spaCy's languages, each encoded in every encoding that holds it and that files of
its language come in; `whole` takes a language's sentences together, `sentence` each for itself. `--corpus` adds files
that others labelled: DIR/<encoding>[-<language>]/*, as the source package of chardet 5.2 has them in `tests`. Right is
a text that equals the one that the label gives (at most one character in a thousand differs: sets that differ in a
rare sign).
"""

import argparse
import json
import pkgutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import charset_normalizer
import spacy.lang

from docmill.pipeline.extract.text.encoding import codec_of, decode

_WEST = ("cp1252", "iso8859-1", "iso8859-15", "mac_roman")
_CENTRAL = ("cp1250", "iso8859-2")
_CYRILLIC = ("cp1251", "koi8-r", "iso8859-5", "cp866", "mac_cyrillic")
_ENCODINGS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("da", "de", "es", "fi", "fr", "it", "nb", "nl", "pt", "sv", "ca"), _WEST),
    **dict.fromkeys(("cs", "hr", "hu", "pl", "sk", "sl", "ro"), _CENTRAL),
    **dict.fromkeys(("bg", "ru"), _CYRILLIC),
    "sr": ("cp1251", "iso8859-5"),
    "uk": ("cp1251", "koi8-u"),
    "el": ("cp1253", "iso8859-7"),
    "tr": ("cp1254", "iso8859-9"),
    "he": ("cp1255", "iso8859-8"),
    "ar": ("cp1256", "iso8859-6"),
    "fa": ("cp1256",),
    "lt": ("cp1257", "iso8859-13"),
    "vi": ("cp1258",),
    "ja": ("cp932", "euc_jp", "iso2022_jp"),
    "ko": ("cp949", "iso2022_kr"),
    "zh": ("gb18030", "big5", "hz"),
}
_OF_ALL = ("utf-8", "utf-8-sig", "utf-16-le", "utf-16-be", "utf-16", "utf-32-le", "utf-32-be")
_TOLERANCE = 0.001
"""Share of characters that may differ."""


class Sample(NamedTuple):
    """Bytes, the codec they are in, and which part of the corpus they belong to."""

    part: str
    codec: str
    data: bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, help="labelled files: DIR/<encoding>[-<language>]/*")
    parser.add_argument("--json", type=Path, help="where the rows go")
    asked = parser.parse_args()
    samples = [*generated(), *(labelled(asked.corpus) if asked.corpus else [])]
    rows = []
    for name, read in (("docmill", decode), ("charset-normalizer", normalizer)):
        wrong, seconds = judged(samples, read)
        for part, total in Counter(sample.part for sample in samples).items():
            missed = Counter(sample.codec for sample in wrong if sample.part == part)
            right = 100 * (1 - missed.total() / total)
            rows.append({"name": f"{name} {part}", "right": round(right, 2), "texts": total})
            print(f"{name:20} {part:10} {right:6.2f} % of {total} texts   wrong: {dict(missed.most_common(8))}")
        print(f"{name:20} {len(samples) / seconds:.0f} texts a second")
    if asked.json:
        asked.json.write_text(json.dumps({"rows": rows}, indent=1))


def generated() -> Iterator[Sample]:
    """The sample sentences in every encoding that can hold them."""
    for module in pkgutil.iter_modules(spacy.lang.__path__):
        try:
            sentences = import_module(f"spacy.lang.{module.name}.examples").sentences
        except ModuleNotFoundError:
            continue
        for codec in (*_OF_ALL, *_ENCODINGS.get(module.name, ())):
            for part, texts in (("whole", ["\n".join(sentences)]), ("sentence", sentences)):
                for text in texts:
                    data = _encoded(text, codec)
                    if data is not None:
                        yield Sample(part, codec, data)


def _encoded(text: str, codec: str) -> bytes | None:
    """None where the codec does not hold the text, or where the bytes are ASCII and anything reads them."""
    try:
        data = text.encode(codec)
    except UnicodeEncodeError:
        return None
    return None if data.isascii() and data == text.encode() else data


def labelled(folder: Path) -> Iterator[Sample]:
    """The files of folders that are named by an encoding Python knows."""
    for path in sorted(folder.glob("*/*")):
        parts = path.parent.name.lower().split("-")
        names = ("-".join(parts[:end]) for end in range(len(parts), 0, -1))
        name = next((name for name in names if codec_of(name)), None)
        if name:
            yield Sample(
                "labelled", name if name in ("utf-16", "utf-32") else codec_of(name) or name, path.read_bytes()
            )


def judged(samples: list[Sample], read: Callable[[bytes], str]) -> tuple[list[Sample], float]:
    """The samples that came out wrong, and the seconds that reading took."""
    wrong, seconds = [], 0.0
    for sample in samples:
        began = time.perf_counter()
        text = read(sample.data)
        seconds += time.perf_counter() - began
        if not alike(text, sample.data.decode(sample.codec, "replace")):
            wrong.append(sample)
    return wrong, seconds


def alike(text: str, right: str) -> bool:
    """Whether two texts are the same but for byte order marks and a rare sign."""
    text, right = text.removeprefix("\ufeff"), right.removeprefix("\ufeff")
    differing = sum(one != other for one, other in zip(text, right, strict=False))
    return len(text) == len(right) and differing <= _TOLERANCE * len(right)


def normalizer(data: bytes) -> str:
    """charset-normalizer's likeliest text."""
    best = charset_normalizer.from_bytes(data).best()
    return str(best) if best else data.decode("cp1252", "replace")


if __name__ == "__main__":
    main()
