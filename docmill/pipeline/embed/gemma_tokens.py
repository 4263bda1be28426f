"""About how many tokens Gemini counts: an offline estimate that leans to the high side.

Gemini's vocabulary is Gemma's, which is not ours to ship. Its tokens hold, on the average, 4.0 to 4.4 characters of
English, 4.1 of German, 3.8 of French, 3.9 of program text, 1.7 of Japanese, 1.3 of Chinese, and one digit. The estimate
takes pieces that are a little shorter, so it is mostly too high by a tenth to a fifth. Only made-up letters (one token
for two or three of them) can beat it, which the headroom below the model's limit is for.
"""

import re

# Up to five Latin letters, two of other alphabets, a run of spaces or line ends, or any single sign; one space before
# a word is the word's own.
_PIECE = re.compile(
    r"[A-Za-z\u00c0-\u024f]{1,5}|[\u0370-\u077f]{1,2}|\s{2,}|[^\s\U00010000-\U0010ffff]|[\U00010000-\U0010ffff]"
)


def likely_tokens(text: str) -> int:
    """The estimate for a text. Characters outside of the basic plane count as their four bytes."""
    pieces: list[str] = _PIECE.findall(text)
    return len(pieces) + 3 * sum(piece > "\uffff" for piece in pieces if len(piece) == 1)
