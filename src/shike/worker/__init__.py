"""DO: claim what free slots can start, run it, say how it ended."""
