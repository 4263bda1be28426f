"""How much one document may take of the sandbox."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """How much one document may take.

    Seconds count only while the worker waits for the extractor, so a document is never blamed for a slow embedder.
    `memory_bytes` is private memory of the process (RLIMIT_DATA); it is replaced after a document when it keeps more
    than `keep_memory_bytes` resident or has read `keep_documents`.
    """

    page_seconds: float = 180.0
    total_seconds: float = 7200.0
    memory_bytes: int = 2 << 30
    max_pages: int = 5000
    max_characters: int = 20_000_000
    keep_memory_bytes: int = 1 << 30
    keep_documents: int = 200
    small_file_bytes: int = 1 << 20
    small_file_memory_bytes: int = 900 << 20

    def memory_for(self, file_bytes: int) -> int:
        """Private memory that a file of this size may take: a small one has no business with much."""
        if file_bytes < self.small_file_bytes:
            return min(self.small_file_memory_bytes, self.memory_bytes)
        return self.memory_bytes
