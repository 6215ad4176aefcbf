"""Delays by message queue (R3.9): one protocol (`base`), a file per technique, whose docstring tells its limits."""
