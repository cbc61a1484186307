"""`python -m export` is the `efemera` command."""

from export.cli import main

main()
