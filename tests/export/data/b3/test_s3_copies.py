"""S3 at the border: objects come as copies, tables go whole, and AWS's refusals are one line."""

import botocore.client
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from export.data.b3.s3_copies import local_files
from export.data.destination import write_prices
from export.data.prices import read_prices
from export.errors import InputError

ENDINGS = (".csv", ".csv.gz", ".parquet")
ROWS = b"unique_id,ds,y\nA,2024-01-02,10\n"


@pytest.fixture
def market(bucket):
    """The bucket with one folder of tables."""
    for key in ("day/b.csv", "day/a.csv", "day/notes.txt", "day/deeper/c.csv"):
        bucket.put_object(Bucket="market", Key=key, Body=ROWS)
    return bucket


def names(*places):
    with local_files(places, ENDINGS) as local:
        return [local.as_named(str(path)) for path in local.paths]


def refusal(*places):
    with pytest.raises(InputError) as caught:
        names(*places)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.usefixtures("market")
def test_an_object_a_prefix_and_a_file_come_as_local_files(tmp_path):
    local = tmp_path / "local.csv"
    assert names(str(local)) == [str(local)]
    assert names("s3://market/day/a.csv", str(local)) == ["s3://market/day/a.csv", str(local)]
    for prefix in ("s3://market/day/", "s3://market/day"):
        assert names(prefix) == ["s3://market/day/a.csv", "s3://market/day/b.csv"]


@pytest.mark.usefixtures("market")
def test_each_object_is_announced_and_the_copies_go_away():
    heard = []
    with local_files(["s3://market/day"], ENDINGS, on_object=heard.append) as local:
        assert [path.read_bytes() for path in local.paths] == [ROWS, ROWS]
    assert heard == ["s3://market/day/a.csv", "s3://market/day/b.csv"]
    assert [path.exists() for path in local.paths] == [False, False]


def test_a_fault_in_a_copy_is_told_of_the_object(market):
    market.put_object(Bucket="market", Key="bad.csv", Body=b"unique_id,ds,y\nA,2024-01-02,x\n")
    with pytest.raises(InputError) as caught, local_files(["s3://market/bad.csv"], ENDINGS) as local:
        read_prices(local.paths, minimum=1)
    assert str(caught.value) == "s3://market/bad.csv line 2: y is 'x', not a price"


@pytest.mark.usefixtures("market")
def test_a_table_goes_to_s3_and_comes_back(prices):
    write_prices(prices, "s3://market/out/prices.parquet")
    with local_files(["s3://market/out/prices.parquet"], ENDINGS) as local:
        assert read_prices(local.paths, minimum=1).digest() == prices.digest()


@pytest.mark.usefixtures("market")
def test_nothing_under_a_prefix_is_said():
    assert refusal("s3://market/empty/") == (
        "s3://market/empty/: no object directly under this prefix ends in .csv, .csv.gz or .parquet"
    )


@pytest.mark.usefixtures("market")
def test_what_is_not_there_is_said(prices):
    assert refusal("s3://market/none.csv") == "s3://market/none.csv: no such object"
    assert refusal("s3://elsewhere/day/") == "s3://elsewhere/day: can't be listed (no such bucket)"
    assert "is not the name of a bucket; the form is s3://bucket/key" in refusal("s3://Not a bucket/x.csv")
    assert "is not the name of a bucket" in refusal("s3:///x.csv")
    with pytest.raises(InputError, match="--out s3://elsewhere/p.csv: can't be written \\(no such bucket\\)"):
        write_prices(prices, "s3://elsewhere/p.csv")


def test_keys_that_would_be_one_path_or_none_are_read_apart(bucket):
    for number, key in enumerate(("d/b.csv", "d//b.csv", "../../b.csv", "d/b.csv/b.csv", f"{'n' * 300}.csv")):
        bucket.put_object(Bucket="market", Key=key, Body=str(number).encode())
    places = ["s3://market/d/b.csv", "s3://market/d//b.csv", "s3://market/../../b.csv", "s3://market/d/b.csv/b.csv"]
    with local_files([*places, f"s3://market/{'n' * 300}.csv"], ENDINGS) as local:
        assert [path.read_text() for path in local.paths] == ["0", "1", "2", "3", "4"]
        assert [local.as_named(str(path)) for path in local.paths[:4]] == places


@pytest.mark.slow
@pytest.mark.usefixtures("market")
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "Any"), "no permission"),
        (ClientError({"Error": {"Code": "403", "Message": "Forbidden"}}, "HeadObject"), "no permission"),
        (ClientError({"Error": {"Code": "ExpiredToken", "Message": "x"}}, "Any"), "the AWS credentials have expired"),
        (
            ClientError({"Error": {"Code": "SlowDown", "Message": "Reduce\nyour rate"}}, "Any"),
            "SlowDown Reduce your rate",
        ),
        (EndpointConnectionError(endpoint_url="https://s3"), 'Could not connect to the endpoint URL: "https://s3"'),
    ],
)
def test_a_refusal_of_aws_is_one_line(prices, monkeypatch, error, reason):
    def refuse(*_):
        raise error

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", refuse)
    assert refusal("s3://market/day/a.csv") == f"s3://market/day/a.csv: can't be read ({reason})"
    assert refusal("s3://market/day/") == f"s3://market/day: can't be listed ({reason})"
    with pytest.raises(InputError) as caught:
        write_prices(prices, "s3://market/p.csv")
    assert str(caught.value) == f"--out s3://market/p.csv: can't be written ({reason})"
