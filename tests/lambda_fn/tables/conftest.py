"""Fixtures of the tests of tables and stores: closes in any layout, S3 by moto, whole or with faults."""

import pytest

from tests.lambda_fn.batch.market import table
from tests.lambda_fn.tables.price_tables import as_table, read, read_in_batch
from tests.lambda_fn.tables.s3 import faults as faults
from tests.lambda_fn.tables.s3 import pauses as pauses
from tests.lambda_fn.tables.s3 import s3 as s3


@pytest.fixture(scope="session")
def closes():
    """Twelve series of closes to the cent, which any layout can hold."""
    walks = table(12, seed=2)
    return walks.assign(y=walks["y"].clip(lower=1).round(2))


@pytest.fixture(scope="session")
def gives(closes):
    """Hold the closes of some places, read with lines and read in a batch, against those expected."""

    def check(*places, expected=closes):
        days = expected["ds"].astype(str).str[:10]
        wanted = as_table(zip(expected["unique_id"].astype(str), days, expected["y"].astype(float), strict=True))
        assert read_in_batch(*places) == wanted
        assert read(*places) == wanted

    return check
