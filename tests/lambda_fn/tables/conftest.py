"""Fixtures of the tests of tables and stores: S3 by moto, whole or with faults."""

from tests.lambda_fn.tables.s3 import faults as faults
from tests.lambda_fn.tables.s3 import pauses as pauses
from tests.lambda_fn.tables.s3 import s3 as s3
