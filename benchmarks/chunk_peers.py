"""The splitters that people use, called as their documentation calls them, with sizes counted by the same tokenizer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Count = Callable[[str], int]
Cut = Callable[[str], list[str]]


@dataclass(frozen=True, slots=True)
class Peer:
    """A splitter at one size; `splitter(count)` makes it."""

    name: str
    size: int
    splitter: Callable[[Count], Cut]


def _langchain(size: int) -> Callable[[Count], Cut]:
    def make(count: Count) -> Cut:
        from langchain_text_splitters import RecursiveCharacterTextSplitter

        splitter = RecursiveCharacterTextSplitter(chunk_size=size, chunk_overlap=0, length_function=count)
        return splitter.split_text

    return make


def _semantic_text_splitter(size: int) -> Callable[[Count], Cut]:
    def make(count: Count) -> Cut:
        from semantic_text_splitter import MarkdownSplitter

        splitter = MarkdownSplitter.from_callback(count, size)
        return lambda text: list(splitter.chunks(text))

    return make


def _chonkie(kind: str, size: int) -> Callable[[Count], Cut]:
    def make(count: Count) -> Cut:
        import chonkie

        options: dict[str, Any] = {"tokenizer": count, "chunk_size": size}
        chunker: Any = (
            chonkie.SentenceChunker(**options, chunk_overlap=0)
            if kind == "sentence"
            else chonkie.RecursiveChunker(**options)
        )
        return lambda text: [chunk.text for chunk in chunker.chunk(text)]

    return make


def _llama_index(size: int) -> Callable[[Count], Cut]:
    def make(count: Count) -> Cut:
        from llama_index.core.node_parser import SentenceSplitter

        splitter = SentenceSplitter(chunk_size=size, chunk_overlap=0, tokenizer=lambda text: [0] * count(text))
        return splitter.split_text

    return make


PEERS = [
    *(Peer(f"LangChain recursive {size}/0", size, _langchain(size)) for size in (128, 200, 400)),
    *(Peer(f"semantic-text-splitter {size}", size, _semantic_text_splitter(size)) for size in (128, 200)),
    *(
        Peer(f"chonkie {kind} {size}", size, _chonkie(kind, size))
        for kind in ("sentence", "recursive")
        for size in (128, 200)
    ),
    *(Peer(f"llama-index SentenceSplitter {size}", size, _llama_index(size)) for size in (128, 200)),
]
