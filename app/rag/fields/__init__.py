"""Fields: dates, sums, numbers and names of a document, each with its place; see `extract`."""
