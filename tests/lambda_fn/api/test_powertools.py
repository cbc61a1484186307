"""Powertools, imported lean: what the API needs is real, and nobody else misses anything."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent.parent


def run(code):
    """What a fresh process prints."""
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()


def test_the_lean_import_leaves_out_what_the_api_never_runs():
    whole = set(run("import sys, aws_lambda_powertools.event_handler; print(*sys.modules)"))
    lean = set(run("import sys, lambda_fn.powertools; print(*sys.modules)"))
    assert {"asyncio", "aws_lambda_powertools.event_handler.appsync", "aws_lambda_powertools.tracing"} <= whole
    assert not {"asyncio", "aws_lambda_powertools.event_handler.appsync", "aws_lambda_powertools.tracing"} & lean


def test_what_it_gives_is_powertools_own():
    code = """
import lambda_fn.powertools as lean
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, AppSyncResolver, Response
from aws_lambda_powertools import Logger, Metrics, Tracer, metrics
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2, S3Event
assert issubclass(lean.Resolver, APIGatewayHttpResolver) and Response is lean.Response and Logger is lean.Logger
assert AppSyncResolver.__name__ and Tracer.__name__ and Metrics is metrics.Metrics and S3Event.__name__
from aws_lambda_powertools.utilities.data_classes import event_source
from aws_lambda_powertools import __version__
assert callable(event_source) and __version__
print(APIGatewayProxyEventV2({"rawPath": "/x", "requestContext": {"stage": "$default"}}).path)
"""
    assert run(code) == ["/x"]


def test_a_name_that_powertools_does_not_have_is_still_an_import_error():
    code = """
import lambda_fn.powertools
try:
    from aws_lambda_powertools.event_handler import Nothing
except ImportError as error:
    print("ImportError")
"""
    assert run(code) == ["ImportError"]


def test_powertools_that_is_there_already_stays_as_it_is():
    code = """
import sys, aws_lambda_powertools.event_handler as whole
import lambda_fn.powertools as lean
assert sys.modules["aws_lambda_powertools.event_handler"] is whole
print(issubclass(lean.Resolver, whole.APIGatewayHttpResolver))
"""
    assert run(code) == ["True"]
