"""SETTLE: what becomes of a run when an attempt ends. Pure decisions; stores carry them out."""
