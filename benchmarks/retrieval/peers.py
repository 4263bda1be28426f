"""Retrieval as its users run it, each over the same embedder; paragraphs in, a ranking of them out."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.retrieval.question_sets import QuestionSet
from docmill.pipeline.chunking.chunker import Chunker, ChunkOptions, embedding_text
from docmill.pipeline.embed.local.embedder import LocalEmbedder
from docmill.pipeline.types import Page, Vector, Vectors

DEEP = 50
"""Chunks that are asked for; what is not among them counts as not found."""

Ranker = Callable[[str], Sequence[int]]
"""Paragraph numbers for a question, best first; a number may come several times."""
System = Callable[[QuestionSet, "CachedEmbedder"], Ranker]


class CachedEmbedder:
    """Each text is embedded once for all systems."""

    def __init__(self, embedder: LocalEmbedder) -> None:
        self.embedder = embedder
        self._passages: dict[str, Vector] = {}
        self._queries: dict[str, Vector] = {}

    def passages(self, texts: Sequence[str]) -> Vectors:
        for text in texts:
            if text not in self._passages:
                self._passages[text] = self.embedder.embed_passages([text], "")[0]
        return np.stack([self._passages[text] for text in texts])

    def query(self, text: str) -> Vector:
        if text not in self._queries:
            self._queries[text] = self.embedder.embed_query(text)
        return self._queries[text]

    def count(self, text: str) -> int:
        return self.embedder.count_tokens([text])[0]


def docmill_chunks_by_cosine(questions: QuestionSet, embedder: CachedEmbedder) -> Ranker:
    """docmill's chunks, ranked by cosine similarity alone."""
    chunker = Chunker(embedder.embedder.count_tokens, ChunkOptions(*embedder.embedder.chunk_sizes))
    return _by_cosine(
        [[embedding_text(chunk) for chunk in chunker.chunks([Page(1, text)])] for text in questions.paragraphs],
        embedder,
    )


def chonkie_by_cosine(questions: QuestionSet, embedder: CachedEmbedder) -> Ranker:
    """chonkie's recursive chunks of 128 tokens, ranked by cosine similarity."""
    import chonkie

    options: dict[str, Any] = {"tokenizer": embedder.count, "chunk_size": 128}
    chunker: Any = chonkie.RecursiveChunker(**options)
    return _by_cosine([[chunk.text for chunk in chunker.chunk(text)] for text in questions.paragraphs], embedder)


def words_by_bm25(questions: QuestionSet, _embedder: CachedEmbedder) -> Ranker:
    """BM25 over whole paragraphs with the library's own splitting into words."""
    import bm25s

    index = bm25s.BM25()
    index.index(bm25s.tokenize(list(questions.paragraphs), stopwords=None, show_progress=False), show_progress=False)
    deep = min(DEEP, len(questions.paragraphs))

    def ranked(question: str) -> Sequence[int]:
        words = bm25s.tokenize(question, stopwords=None, show_progress=False)
        found, scores = index.retrieve(words, k=deep, show_progress=False)
        return [int(number) for number, score in zip(found[0], scores[0], strict=True) if score > 0]

    return ranked


def langchain_on_pgvector(database_url: str) -> System:
    """LangChain: recursive splitter with the tutorial's sizes, its vector store on PostgreSQL, similarity search."""

    def build(questions: QuestionSet, embedder: CachedEmbedder) -> Ranker:
        from langchain_core.documents import Document
        from langchain_core.embeddings import Embeddings
        from langchain_postgres import PGVector
        from langchain_text_splitters import RecursiveCharacterTextSplitter

        class Same(Embeddings):
            def embed_documents(self, texts: list[str]) -> list[list[float]]:
                return [[float(value) for value in row] for row in embedder.passages(texts)]

            def embed_query(self, text: str) -> list[float]:
                return [float(value) for value in embedder.query(text)]

        splitter = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200)
        documents = [Document(text, metadata={"number": number}) for number, text in enumerate(questions.paragraphs)]
        store = PGVector(
            Same(),
            collection_name=questions.name,
            connection=database_url.replace("postgresql://", "postgresql+psycopg://"),
            pre_delete_collection=True,
        )
        store.add_documents(splitter.split_documents(documents))
        return lambda question: [hit.metadata["number"] for hit in store.similarity_search(question, k=DEEP)]

    return build


def llama_index_hybrid(questions: QuestionSet, embedder: CachedEmbedder) -> Ranker:
    """LlamaIndex: sentence splitter, vector index and BM25, put together by reciprocal rank fusion."""
    from llama_index.core import Document, VectorStoreIndex
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.llms import MockLLM
    from llama_index.core.node_parser import SentenceSplitter
    from llama_index.core.retrievers import QueryFusionRetriever
    from llama_index.core.retrievers.fusion_retriever import FUSION_MODES
    from llama_index.retrievers.bm25 import BM25Retriever

    class Same(BaseEmbedding):
        def _get_text_embedding(self, text: str) -> list[float]:
            return [float(value) for value in embedder.passages([text])[0]]

        def _get_query_embedding(self, query: str) -> list[float]:
            return [float(value) for value in embedder.query(query)]

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return self._get_query_embedding(query)

    splitter = SentenceSplitter(tokenizer=lambda text: [0] * embedder.count(text))
    metadata_stays_out = {"excluded_embed_metadata_keys": ["number"], "excluded_llm_metadata_keys": ["number"]}
    nodes = splitter.get_nodes_from_documents(
        [
            Document(text=text, metadata={"number": number}, **metadata_stays_out)
            for number, text in enumerate(questions.paragraphs)
        ]
    )
    deep = min(DEEP, len(nodes))
    index = VectorStoreIndex(nodes, embed_model=Same())
    fused = QueryFusionRetriever(
        [index.as_retriever(similarity_top_k=deep), BM25Retriever.from_defaults(nodes=nodes, similarity_top_k=deep)],
        llm=MockLLM(),
        num_queries=1,
        mode=FUSION_MODES.RECIPROCAL_RANK,
        similarity_top_k=deep,
        use_async=False,
    )
    return lambda question: [hit.node.metadata["number"] for hit in fused.retrieve(question)]


def _by_cosine(chunks: Sequence[Sequence[str]], embedder: CachedEmbedder) -> Ranker:
    numbers = [number for number, some in enumerate(chunks) for _ in some]
    vectors = embedder.passages([text for some in chunks for text in some])

    def ranked(question: str) -> Sequence[int]:
        nearest = np.argsort(-(vectors @ embedder.query(question)), kind="stable")[:DEEP]
        return [numbers[place] for place in nearest]

    return ranked
