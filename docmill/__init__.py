"""docmill: documents in, vectors out."""

__version__ = "0.1.0"
