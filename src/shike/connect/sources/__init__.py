"""Where messages come from that become runs (R2.11): one protocol (`base`), a file per broker."""
