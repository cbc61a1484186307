"""Fixtures of all tests. At the top only pytest: the serving tests run where little else is installed."""

from __future__ import annotations

import contextlib
import functools
import sys

import pytest

with contextlib.suppress(ImportError):  # each new session of boto3 would read its description of S3 anew: 0.1 s
    import botocore.session

    botocore.session.create_loader = functools.cache(botocore.session.create_loader)


@pytest.fixture
def efemera(monkeypatch, capsys):
    """Run the command as a user does; exit code, stdout, stderr."""
    from export import cli

    def run(*arguments, columns=200):
        monkeypatch.setattr(sys, "argv", ["efemera", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", str(columns))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return ended.value.code or 0, captured.out, captured.err

    return run
