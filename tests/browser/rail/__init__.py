"""The railway's pages in a real browser."""
