"""Shapes of requests and answers about plans and money."""
