"""Shapes of legacy."""
