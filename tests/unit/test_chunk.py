"""Chunks lose nothing, stay within their limits, and are cut where a reader would cut."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docmill.pipeline.chunking.chunker import PATH_CHARACTERS, Chunker, ChunkOptions, embedding_text, passage_text
from docmill.pipeline.embed.local.minilm import MiniLm
from docmill.pipeline.text import clean, full_text
from docmill.pipeline.types import Block, Chunk, Page

EMBEDDER = MiniLm()
SMALL = ChunkOptions(target_tokens=16, max_tokens=24)

WORDS = st.sampled_from(
    [
        "the",
        "ferry",
        "leaves",
        "Dr.",
        "Fig. 3.2",
        "e.g.",
        "at 3.50",
        "https://a.example/b.c?d=1",
        "今日は晴れ。",
        "שלום",
    ]
)
SENTENCES = st.lists(WORDS, min_size=1, max_size=12).map(lambda words: " ".join(words).capitalize() + ".")
PARAGRAPHS = st.lists(SENTENCES, min_size=1, max_size=6).map(" ".join)
LINES = st.sampled_from(
    ["# Title", "## Part", "- item", "| a | b |\n|---|---|\n| 1 | 2 |", "```\nx = 1\n```", "x" * 900]
)
TEXTS = st.lists(PARAGRAPHS | LINES | st.text(max_size=60), max_size=12).map(lambda parts: clean("\n\n".join(parts)))
PAGES = st.lists(TEXTS, max_size=5).map(
    lambda texts: [Page(number, text.strip("\n")) for number, text in enumerate(texts, start=1)]
)


def chunk(pages: Sequence[Page], options: ChunkOptions = SMALL) -> list[Chunk]:
    return list(Chunker(EMBEDDER.count_tokens, options).chunks(pages))


@settings(max_examples=40, deadline=None)
@given(PAGES)
def test_nothing_of_the_text_is_lost_or_doubled(pages: list[Page]) -> None:
    text, chunks = full_text(pages), chunk(pages)
    assert all(text[one.start : one.end] == one.text for one in chunks)
    assert [one.ordinal for one in chunks] == list(range(len(chunks)))
    edges = [(0, 0), *((one.start, one.end) for one in chunks), (len(text), len(text))]
    for (_, end), (start, _) in pairwise(edges):
        assert start >= end
        assert text[end:start].strip() == ""


@settings(max_examples=40, deadline=None)
@given(PAGES)
def test_no_chunk_exceeds_its_limit_nor_what_is_embedded_the_models(pages: list[Page]) -> None:
    for one in chunk(pages):
        assert one.token_count == EMBEDDER.count_tokens([one.text])[0] <= SMALL.max_tokens
        assert EMBEDDER.count_tokens([embedding_text(one)])[0] <= SMALL.max_tokens + PATH_CHARACTERS


@settings(max_examples=20, deadline=None)
@given(PAGES)
def test_each_chunk_knows_the_pages_it_stands_on(pages: list[Page]) -> None:
    for one in chunk(pages):
        texts = {page.number: page.text for page in pages}
        assert one.first_page <= one.last_page
        assert one.text[0] in texts[one.first_page]
        assert one.text[-1] in texts[one.last_page]


def test_chunks_come_out_while_pages_still_come_in() -> None:
    read = 0

    def pages() -> Iterator[Page]:
        nonlocal read
        for number in range(1, 501):
            read = number
            yield Page(number, f"Page {number} tells of a harbour. It has a crane, and the crane is number {number}.")

    stream = Chunker(EMBEDDER.count_tokens, SMALL).chunks(pages())
    first = next(stream)
    assert read < 200
    assert [first, *stream] == chunk(list(pages()))


def test_a_cut_is_made_at_a_paragraph_rather_than_inside_one() -> None:
    one = "The first paragraph speaks of boats. Boats are old here."
    two = "The second paragraph speaks of trains. Trains are new here."
    assert [part.text for part in chunk([Page(1, f"{one}\n\n{two}")])] == [one, two]


def test_a_heading_stays_with_what_follows_and_stands_above_it() -> None:
    text = (
        "# Boats\n\nThe boats are old and slow.\n\n## Engines\n\nThe engines are new and fast, and they are loud too."
    )
    boats, engines = chunk([Page(1, text)])
    assert boats.text.startswith("# Boats\n\nThe boats")
    assert engines.text.startswith("## Engines\n\nThe engines")
    assert (boats.headings, engines.headings) == ((), ("Boats",))
    assert embedding_text(engines) == f"Boats\n{engines.text}"


def test_blocks_of_a_reader_count_more_than_marks_in_the_text() -> None:
    heading, body = "Opening hours", "The office opens at nine. It closes at five, and on Fridays at three."
    text = f"{heading}\n\n{body}\n\n{body}"
    second = len(heading) + 2 + len(body) + 2
    blocks = (
        Block("heading", 0, len(heading), 1),
        Block("paragraph", len(heading) + 2, second - 2),
        Block("paragraph", second, len(text)),
    )
    parts = chunk([Page(1, text, blocks=blocks)])
    assert parts[0].text.startswith(heading)
    assert parts[1].headings == (heading,)


def test_rows_of_a_long_table_carry_its_header_in_what_is_embedded() -> None:
    rows = "\n".join(f"| berth {number} | boat of captain {number} |" for number in range(1, 15))
    first, *others = chunk([Page(1, f"| berth | owner |\n|---|---|\n{rows}")])
    assert first.text.startswith("| berth | owner |")
    assert others
    assert all(part.headings == ("| berth | owner |",) for part in others)
    assert all(line.startswith("| berth") for part in others for line in part.text.splitlines())


def test_a_sentence_that_runs_over_a_page_is_not_torn_by_a_paragraph_break() -> None:
    pages = [Page(1, "The ferry leaves at noon and returns"), Page(2, ""), Page(3, "before dusk.")]
    (whole,) = chunk(pages)
    assert whole.text == "The ferry leaves at noon and returns\nbefore dusk."
    assert (whole.first_page, whole.last_page) == (1, 3)


def test_a_chunk_of_scanned_and_digital_pages_is_mixed() -> None:
    (both,) = chunk([Page(1, "A scanned page", "ocr"), Page(2, "runs on here.", "text")])
    assert both.source == "mixed"


def test_an_overlap_repeats_whole_sentences_only() -> None:
    text = "One boat is here. Two boats are there. Three boats are gone. Four boats are late. Five boats are lost. " * 2
    plain, overlapping = chunk([Page(1, text)]), chunk([Page(1, text)], ChunkOptions(16, 24, 6))
    assert any(two.start < one.end for one, two in pairwise(overlapping))
    assert all(part.text == text[part.start : part.end] for part in overlapping)
    assert {part.end for part in overlapping} == {part.end for part in plain}
    assert all(part.text[0].isupper() for part in overlapping)
    assert all(part.token_count <= 24 for part in overlapping)


def test_a_long_path_of_headings_is_cut_from_its_outside() -> None:
    assert passage_text(["x" * 200, "inner"], "text") == f"{'x' * (PATH_CHARACTERS - 8)} > inner\ntext"


@pytest.mark.parametrize(
    "sizes", [(8, 100, 0), (100, 50, 0), (100, 200, 80), (100, 200, -1), ("100", 200, 0), (True, 200, 0), (64.0, 99, 0)]
)
def test_sizes_that_do_not_fit_together_are_refused(sizes: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        ChunkOptions(*sizes)


def test_a_table_that_fits_stays_whole() -> None:
    rows = "\n".join(f"| pier {number} | boat {number} |" for number in range(1, 3))
    table = f"| pier | boat |\n|---|---|\n{rows}"
    assert EMBEDDER.count_tokens([table])[0] > SMALL.target_tokens
    before = "The boats of this harbour lie at two piers."
    sizes = ChunkOptions(SMALL.target_tokens, 40)
    assert [part.text for part in chunk([Page(1, f"{before}\n\n{table}\n\n{before}")], sizes)][1] == table


def test_two_sections_that_are_long_enough_are_not_mixed() -> None:
    one = "## Boats\n\nThe boats are old."
    two = "## Trains\n\nThe trains are new."
    assert [part.text for part in chunk([Page(1, f"{one}\n\n{two}")])] == [one, two]


def test_the_documents_title_stands_above_all_headings_and_only_once() -> None:
    text = "# Harbour rules\n\nEvery boat moors at the pier.\n\n## Fees\n\nEvery boat pays a fee at the office."
    chunker = Chunker(EMBEDDER.count_tokens, SMALL)

    def paths(title: str) -> set[tuple[str, ...]]:
        return {chunk.headings for chunk in chunker.chunks([Page(1, text)], title) if "Every" in chunk.text}

    assert paths("Harbour Rules") <= {(), ("Harbour rules",), ("Harbour rules", "Fees")}
    assert all(path[0] == "Port of Ness" for path in paths("Port of Ness"))
