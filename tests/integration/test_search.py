"""Search through HTTP: what it finds, what it never finds, what its answer holds."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from docmill.cli.background import BackgroundSystem
from docmill.documents.models import ApiKey, Document
from tests.integration.tenant import Tenant

PUMP = """# The pump house

The pump of the east sluice was replaced in May. When the panel shows ERR-7781-QX the float is stuck: lift the grating,
free the float and press reset. The spare float lies in the shed of the warden.

# The weir

Herons stand by the weir at dawn. The keeper of the weir, Zbigniew Okonkwo, counts them every morning and writes the
number on the slate by the door. Nobody feeds them.

# The ferry

The ferry leaves at noon from the new pier. In New Amsterdam it waits for the train. Cyclists pay nothing on Sundays.
"""
ORCHARD = """# The orchard

The orchard was sold in May to the parish. Apples are picked by hand in September, and the press works for a week. The
old press stands in the barn beside the new pier of the amsterdam road. Windfalls go to the pigs.
"""


@pytest.fixture(scope="module")
def reader(system: BackgroundSystem, database: None) -> Iterator[Tenant]:
    """A tenant with two documents."""
    from django.contrib.auth.models import User

    _, secret = ApiKey.create(User.objects.create_user(f"tenant-{uuid4()}"))
    with Tenant(system.url, secret, lambda: None) as made:
        for name, text, metadata in (
            ("pump.md", PUMP, '{"year": 2024, "tags": ["water", "birds"]}'),
            ("orchard.md", ORCHARD, '{"year": 2025}'),
        ):
            document = made.ingest(
                name, text.encode(), metadata=metadata, options='{"target_tokens": 32, "max_tokens": 64}'
            )
            assert document["status"] == "completed", document
        yield made


def ask(tenant: Tenant, query: str, **fields: Any) -> dict[str, Any]:
    response = tenant.post("/api/search/", json={"query": query, **fields})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def texts(answer: dict[str, Any]) -> str:
    return " ".join(hit["text"] for hit in answer["results"])


@pytest.mark.parametrize(
    "query", ["ERR-7781-QX", "err-7781-qx", "7781", "What do I do when ERR-7781-QX comes up?", "okonkwo", "ZBIGNIEW"]
)
def test_an_exact_word_is_found_alone_and_in_a_question(reader: Tenant, query: str) -> None:
    wanted = "Okonkwo" if "o" in query.lower() and "7781" not in query else "ERR-7781-QX"
    if query == "ZBIGNIEW":
        wanted = "Zbigniew"
    assert wanted in ask(reader, query, top_k=1)["results"][0]["text"]


def test_a_misspelled_word_is_read_as_one_that_is_there_and_the_answer_says_so(reader: Tenant) -> None:
    _count_words()
    answer = ask(reader, "Zbigniev counts", top_k=1)
    assert answer["corrected"] == {"Zbigniev": "zbigniew"}
    assert "Zbigniew" in texts(answer)
    assert ask(reader, "Zbigniew counts", top_k=1)["corrected"] == {}


def _count_words() -> None:
    from docmill.documents import word_index

    while word_index.count_in():
        pass


def test_quoted_words_must_stand_together(reader: Tenant) -> None:
    assert "In New Amsterdam" in texts(ask(reader, '"new amsterdam"', top_k=50))
    assert all("New Amsterdam" in hit["text"] for hit in ask(reader, '"new amsterdam"', top_k=50)["results"])
    assert ask(reader, '"amsterdam new"', top_k=50)["results"] == []


def test_excluded_words_are_nowhere_in_the_answer(reader: Tenant) -> None:
    everything = ask(reader, "sold in May", top_k=50)["results"]
    without = ask(reader, "sold in May -orchard", top_k=50)["results"]
    assert 0 < len(without) < len(everything)
    assert not any("orchard" in (hit["text"] + " ".join(hit["headings"])).lower() for hit in without)
    problem = reader.post("/api/search/", json={"query": "-orchard"})
    assert (problem.status_code, problem.json()["code"]) == (400, "bad_request")


def test_a_longer_answer_begins_with_a_shorter_one_and_pages_join(reader: Tenant) -> None:
    ten = ask(reader, "the keeper of the weir", top_k=10)["results"]
    assert ask(reader, "the keeper of the weir", top_k=10)["results"] == ten
    assert ask(reader, "the keeper of the weir", top_k=3)["results"] == ten[:3]
    assert ask(reader, "the keeper of the weir", top_k=3, offset=2)["results"] == ten[2:5]
    scores = [hit["score"] for hit in ten]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= hit["score"] <= 1 and 0 <= hit["term_similarity"] <= 1 for hit in ten)


def test_a_passage_has_the_same_score_under_every_filter(reader: Tenant) -> None:
    scores = {
        (hit["document_id"], hit["ordinal"]): hit["score"]
        for hit in ask(reader, "When was the orchard sold?", top_k=50)["results"]
    }
    for wanted in ({"metadata": {"year": 2025}}, {"filename": "pump.md"}):
        hits = ask(reader, "When was the orchard sold?", top_k=50, filter=wanted)["results"]
        assert hits
        assert all(scores[hit["document_id"], hit["ordinal"]] == hit["score"] for hit in hits)


def test_the_threshold_and_the_weights_are_kept(reader: Tenant) -> None:
    hits = ask(reader, "herons at the weir", top_k=50)["results"]
    middle = hits[len(hits) // 2]["score"]
    above = ask(reader, "herons at the weir", top_k=50, ranking_options={"score_threshold": middle})["results"]
    assert above == [hit for hit in hits if hit["score"] >= middle]
    for weights, figure in (
        ({"embedding_weight": 1, "text_weight": 0}, "vector_similarity"),
        ({"embedding_weight": 0, "text_weight": 1}, "term_similarity"),
    ):
        some = ask(reader, "herons at the weir", top_k=50, ranking_options={"hybrid_search": weights})["results"]
        assert [hit[figure] for hit in some] == sorted((hit[figure] for hit in some), reverse=True)


def test_documents_are_grouped_or_capped(reader: Tenant) -> None:
    grouped = ask(reader, "the new pier", top_k=10, group_by="document")["results"]
    assert sorted(hit["filename"] for hit in grouped) == ["orchard.md", "pump.md"]
    capped = ask(reader, "the new pier", top_k=50, max_chunks_per_document=2)["results"]
    assert max(sum(hit["filename"] == name for hit in capped) for name in ("pump.md", "orchard.md")) == 2


def test_neighbours_are_joined_without_doubling(reader: Tenant) -> None:
    hit = ask(reader, "Who counts the herons?", top_k=1, neighbors={"before": 10, "after": 10})["results"][0]
    around = hit["context"]
    assert hit["text"] in around["text"]
    assert around["start"] <= hit["start"] < hit["end"] <= around["end"]
    for sentence in ("Herons stand by the weir at dawn.", "The ferry leaves at noon", "free the float"):
        assert around["text"].count(sentence) == 1
    assert "context" not in ask(reader, "Who counts the herons?", top_k=1)["results"][0]


def test_highlights_and_the_best_sentence_point_into_the_text(reader: Tenant) -> None:
    hit = ask(reader, "Who counts the heron?", top_k=1)["results"][0]
    marked = [hit["text"][span["start"] : span["end"]].lower() for span in hit["highlights"]]
    assert "herons" in marked or "counts" in marked
    sentence = hit["text"][hit["best_sentence"]["start"] : hit["best_sentence"]["end"]]
    assert sentence.strip() == sentence
    assert any(word in sentence.lower() for word in marked)


def test_facets_count_passages_by_file_and_metadata(reader: Tenant) -> None:
    answer = ask(reader, "the new pier", top_k=50, facets=["filename", "metadata.year", "metadata.tags"])
    by_file = answer["facets"]["filename"]
    assert by_file == {name: sum(hit["filename"] == name for hit in answer["results"]) for name in by_file}
    assert answer["facets"]["metadata.year"] == {"2024": by_file["pump.md"], "2025": by_file["orchard.md"]}
    assert answer["facets"]["metadata.tags"]["water"] == by_file["pump.md"]
    assert all(hit["metadata"]["year"] in (2024, 2025) for hit in answer["results"])


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"topk": 3}, "topk"),
        ({"ranking_options": {"treshold": 1}}, "treshold"),
        ({"ranking_options": {"hybrid_search": {"weight": 1}}}, "weight"),
        ({"filter": {"file": "a"}}, "file"),
        ({"neighbors": {"above": 1}}, "above"),
        ({"facets": ["size"]}, "size"),
        ({"group_by": "page"}, "page"),
        ({"offset": 150, "top_k": 100}, "offset"),
    ],
)
def test_what_is_not_known_is_refused_by_name(reader: Tenant, fields: dict[str, Any], named: str) -> None:
    problem = reader.post("/api/search/", json={"query": "weir", **fields})
    assert (problem.status_code, problem.json()["code"]) == (400, "bad_request")
    assert named in problem.json()["detail"]


def test_deleted_foreign_and_unfinished_documents_never_surface(
    new_tenant: Callable[[], Tenant], reader: Tenant
) -> None:
    own = new_tenant()
    words = ("Quillfeather-42", "Quillfeather-43")
    first, second = (own.ingest(f"{word}.txt", f"The lamp {word} is lit at dusk.".encode()) for word in words)
    assert words[0] in texts(ask(own, words[0], top_k=1))
    assert not any("Quillfeather" in hit["text"] for hit in ask(reader, words[0], top_k=50)["results"])
    assert ask(reader, "Quilfeather", top_k=50)["corrected"] == {}, "another tenant's words are not suggested"
    assert own.delete(f"/api/documents/{first['document_id']}/").status_code == 204
    assert words[0] not in texts(ask(own, words[0], top_k=50))
    Document.objects.filter(id=second["document_id"]).update(status=Document.Status.PROCESSING, attempt=99)
    assert ask(own, words[1], top_k=50)["results"] == []
    Document.objects.filter(id=second["document_id"]).update(status=Document.Status.COMPLETED)
