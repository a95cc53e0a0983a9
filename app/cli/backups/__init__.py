"""Backups: one archive of the database, the blobs and the keys, and an installation made of it again."""
