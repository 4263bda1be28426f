"""The life of a document: accepted, claimed, worked on, and completed, failed, given back or deleted."""
