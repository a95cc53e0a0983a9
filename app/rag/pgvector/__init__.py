"""Vectors that PostgreSQL compares: a copy beside the sealed indexes, in clear, for vaults whose owners want it.

What stands here is derived from the sealed indexes and can be dropped and made anew at any time. The database itself
keeps it to those vaults: a set of vectors refers to the owner's choice, and goes with it, with its document, with the
index that it was copied from, and when that moves to another vault.
"""
