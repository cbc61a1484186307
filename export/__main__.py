"""The `efemera` command, also as `python -m export`."""

import sys


def main() -> None:
    """Run one command. The fork server of a batch starts first, to import at the same time as this process."""
    if sys.argv[1:2] == ["batch"] and sys.argv[2:3] != ["scores"]:
        from export.local.workers import context

        context()
    from export import cli

    cli.main()


if __name__ == "__main__":
    main()
