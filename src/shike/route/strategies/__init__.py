"""A file per strategy. Its name is the route's, and `strategy` in it makes one."""
