"""What people take with them: a ZIP that opens without us. Knows nothing of the database."""
