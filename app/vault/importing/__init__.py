"""What other programs export, read as records and documents of ours. Knows nothing of the database."""
