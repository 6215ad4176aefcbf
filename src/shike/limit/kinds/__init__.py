"""A file per kind of limit, under its own name: `shike.limit.registry`."""
