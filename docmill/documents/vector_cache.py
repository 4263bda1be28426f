"""The vector cache in PostgreSQL: what a tenant has paid for once is not embedded again."""

from collections.abc import Mapping, Sequence

import numpy as np
from django.utils import timezone

from docmill.documents.models import CachedVector
from docmill.pipeline.types import Vector


class PostgresVectorCache:
    """Vectors by key within a tenant, stored as little-endian float32."""

    def get(self, tenant: int, keys: Sequence[bytes]) -> dict[bytes, Vector]:
        """The vectors that are known, by key; their last use becomes now."""
        rows = CachedVector.objects.filter(user_id=tenant, key__in=keys)
        rows.update(used_at=timezone.now())
        return {
            bytes(key): np.frombuffer(values, dtype="<f4").astype(np.float32)
            for key, values in rows.values_list("key", "values")
        }

    def put(self, tenant: int, vectors: Mapping[bytes, Vector]) -> None:
        """Keep vectors; those already there stay as they are."""
        rows = [
            CachedVector(user_id=tenant, key=key, values=np.asarray(vector, dtype="<f4").tobytes())
            for key, vector in vectors.items()
        ]
        CachedVector.objects.bulk_create(rows, ignore_conflicts=True)
