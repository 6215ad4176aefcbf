"""`shike bench`: measures that a user can repeat. Nothing here is loaded by an app."""
