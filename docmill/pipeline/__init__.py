"""The pipeline as a plain library: file in, pages, chunks, vectors out. It imports neither Django nor Celery."""
