"""The simulated cluster: real nodes, workers and clients in virtual time, faults by seed, and a checker."""
