"""S3 by moto, and fixtures that put faults between it and boto3."""

from __future__ import annotations

import time
import types
from functools import cache

import boto3
import pytest
from moto import mock_aws

from lambda_fn.tables.s3 import client as s3_client
from tests.lambda_fn.tables.s3_faults import Faults


@cache
def session():
    """One session of boto3 for all tests: each new one reads its models of S3 anew, a tenth of a second."""
    return boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name="us-east-1")


@pytest.fixture
def s3(monkeypatch):
    """A client of moto, with an empty bucket named 'market'; the client of the store is a new one too."""
    with mock_aws():
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", session())
        client = session().client("s3")
        client.create_bucket(Bucket="market")
        s3_client.cache_clear()
        yield client
    s3_client.cache_clear()


@pytest.fixture
def pauses(monkeypatch):
    """The pauses that boto3 would have made, in seconds."""
    made = []
    monkeypatch.setattr("botocore.endpoint.time", types.SimpleNamespace(sleep=made.append, time=time.time))
    return made


@pytest.fixture
def faults(s3, pauses):  # noqa: ARG001 - both are in force
    return Faults()
