"""The steps of a turn, one a file; each reads the state, does one thing and returns the keys it writes."""
