"""Filing what was read: a document is proposed as a record, and a person accepts or dismisses that."""
