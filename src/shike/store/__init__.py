"""TRUTH: the store protocol and its implementations, chosen by URL."""
