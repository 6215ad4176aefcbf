"""Where the ends of runs are told (R2.11): one protocol (`base`), a file per broker or kind of database."""
