"""Shapes of requests and answers about vaults."""
