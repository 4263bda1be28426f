"""Extraction: a file in, pages of clean text out, one module a family of formats, always inside the box (process.py)."""
