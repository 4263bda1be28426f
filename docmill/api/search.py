"""Search over HTTP: what a request may say, each field by name, and what the answer shows."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from docmill.api.auth import tenant_of
from docmill.api.paging import KnownParameters
from docmill.documents.search import Answer, Found, SearchRequest, search
from docmill.documents.search.answering import LONGEST_ANSWER
from docmill.documents.search.presentation import METADATA
from docmill.pipeline.rank import Weights

_FACETS = ("filename", "content_type")
_NEIGHBORS = 10


class StrictSerializer(serializers.Serializer[dict[str, Any]]):
    """A serializer that refuses fields it does not know, by name: one that is misspelled must not be ignored."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if isinstance(data, Mapping) and (unknown := sorted(set(map(str, data)) - set(self.fields))):
            raise serializers.ValidationError(
                {name: [f"There is no such field; there are {', '.join(sorted(self.fields))}."] for name in unknown}
            )
        return dict(super().to_internal_value(data))


class FilterSerializer(StrictSerializer):
    """Which documents a search looks at."""

    document_id = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=10_000)
    filename = serializers.CharField(required=False)
    content_type = serializers.CharField(required=False)
    metadata = serializers.DictField(required=False)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if isinstance(data, dict) and isinstance(data.get("document_id"), str):
            data = data | {"document_id": [data["document_id"]]}
        return super().to_internal_value(data)


class HybridSerializer(StrictSerializer):
    """What meaning and words weigh against each other."""

    embedding_weight = serializers.FloatField(min_value=0, max_value=100, default=1.0)
    text_weight = serializers.FloatField(min_value=0, max_value=100, default=1.0)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["embedding_weight"] + attrs["text_weight"] == 0:
            raise serializers.ValidationError("embedding_weight and text_weight must not both be 0.")
        return attrs


class RankingSerializer(StrictSerializer):
    """How passages are scored."""

    score_threshold = serializers.FloatField(min_value=0, max_value=1, default=0.0)
    hybrid_search = HybridSerializer(required=False)


class NeighborsSerializer(StrictSerializer):
    """How many passages before and after each one are shown with it."""

    before = serializers.IntegerField(min_value=0, max_value=_NEIGHBORS, default=0)
    after = serializers.IntegerField(min_value=0, max_value=_NEIGHBORS, default=0)


class SearchSerializer(StrictSerializer):
    """A search request."""

    query = serializers.CharField(max_length=8000)
    top_k = serializers.IntegerField(min_value=1, max_value=100, default=5)
    offset = serializers.IntegerField(min_value=0, default=0)
    filter = FilterSerializer(required=False)
    ranking_options = RankingSerializer(required=False)
    max_chunks_per_document = serializers.IntegerField(min_value=1, required=False)
    group_by = serializers.ChoiceField(["document"], required=False)
    neighbors = NeighborsSerializer(required=False)
    facets = serializers.ListField(child=serializers.CharField(max_length=200), required=False, max_length=20)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["offset"] + attrs["top_k"] > LONGEST_ANSWER:
            raise serializers.ValidationError({"offset": [f"offset and top_k may be {LONGEST_ANSWER} together."]})
        return attrs

    def validate_facets(self, keys: list[str]) -> list[str]:
        for key in keys:
            if key not in _FACETS and not (key.startswith(METADATA) and len(key) > len(METADATA)):
                raise serializers.ValidationError(
                    f"There is no facet {key!r}; there are {', '.join(_FACETS)} and {METADATA}NAME."
                )
        return keys


def request_of(fields: Mapping[str, Any]) -> SearchRequest:
    """A validated request as the search takes it."""
    ranking, neighbors = fields.get("ranking_options") or {}, fields.get("neighbors") or {}
    weights = ranking.get("hybrid_search") or {}
    return SearchRequest(
        query=fields["query"],
        top_k=fields["top_k"],
        offset=fields["offset"],
        filter=dict(fields.get("filter") or {}),
        weights=Weights(weights.get("embedding_weight", 1.0), weights.get("text_weight", 1.0)),
        score_threshold=ranking.get("score_threshold", 0.0),
        max_chunks_per_document=fields.get("max_chunks_per_document"),
        group_by=fields.get("group_by"),
        before=neighbors.get("before", 0),
        after=neighbors.get("after", 0),
        facets=tuple(fields.get("facets") or ()),
    )


def shown(answer: Answer) -> dict[str, Any]:
    """An answer as it is shown."""
    body: dict[str, Any] = {"results": list(map(_hit, answer.results)), "corrected": answer.corrected}
    return body | {"facets": answer.facets} if answer.facets else body


def _hit(found: Found) -> dict[str, Any]:
    chunk, sentence = found.chunk, found.best_sentence
    hit = {
        "text": chunk.text,
        "score": round(found.score, 6),
        "vector_similarity": round(found.vector_similarity, 6),
        "term_similarity": round(found.term_similarity, 6),
        "document_id": str(chunk.document_id),
        "filename": chunk.document.filename,
        "metadata": chunk.document.metadata,
        "ordinal": chunk.ordinal,
        "first_page": chunk.first_page,
        "last_page": chunk.last_page,
        "start": chunk.start,
        "end": chunk.end,
        "headings": chunk.headings,
        "highlights": [{"start": start, "end": end} for start, end in found.highlights],
        "best_sentence": sentence and {"start": sentence[0], "end": sentence[1]},
    }
    if found.context is not None:
        around = found.context
        hit["context"] = {name: getattr(around, name) for name in ("text", "start", "end", "first_page", "last_page")}
    return hit


class SearchView(KnownParameters):
    """Search the tenant's documents."""

    @extend_schema(request=SearchSerializer, responses=dict)
    def post(self, request: Request) -> Response:
        """The best passages, best first."""
        wanted = SearchSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        return Response(shown(search(tenant_of(request), request_of(wanted.validated_data))))
