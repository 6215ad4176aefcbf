"""The journal of the ledger beside the library `eventsourcing`: a child program each, for the same holds."""
