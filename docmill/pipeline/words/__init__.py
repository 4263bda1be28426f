"""Words: one way to cut text into them, for the index, for ranking and for highlighting."""
