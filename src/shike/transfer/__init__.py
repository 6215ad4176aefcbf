"""Carrying everything in a store to another: move it for ever, export it to a file, import it from there."""
