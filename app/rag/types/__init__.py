"""Which type of record a document would make: a guess that may be "don't know"; see `classifier`."""
