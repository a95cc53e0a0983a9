"""`python -m app.cli` is `lifevault`."""

from app.cli import main

main()
