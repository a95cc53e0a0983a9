"""Plans, subscriptions, money and credits; the ledger that proves them."""
