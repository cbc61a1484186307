"""`efemera data yahoo --incremental`: asks for what is missing, and fetches a changed history again."""

import json

import duckdb
import numpy as np
import pytest

from export.data.yahoo.download import TryLater
from export.data.yahoo.update import EARLIEST
from tests.export.data.yahoo.yahoo_stand_in import LAST_YEAR, closes_at


def test_an_update_asks_for_the_last_year_and_appends_what_is_new(data_yahoo, yahoo, tmp_path):
    out = tmp_path / "prices.parquet"
    data_yahoo("AAA", "BBB", "-o", out)
    yahoo.today, yahoo.asked = 503, []
    code, stdout, _ = data_yahoo("AAA", "-o", out, "--incremental", "--json")
    assert code == 0
    [(ticker, start, _, _)] = yahoo.asked
    assert (ticker, start) == ("AAA", str(yahoo.days[500 - LAST_YEAR]))
    assert json.loads(stdout) == {
        "out": str(out),
        "written": True,
        "series": 2,
        "rows": 1003,
        "tickers": [
            {
                "ticker": "AAA",
                "done": "appended",
                "rows": 503,
                "added": 3,
                "first": str(yahoo.days[0]),
                "last": str(yahoo.days[502]),
                "note": None,
            }
        ],
        "suspected_splits": [],
    }
    assert closes_at(out, "AAA")[1].tolist() == yahoo.closes["AAA"][:503].tolist()
    assert closes_at(out, "BBB")[1].tolist() == yahoo.closes["BBB"][:500].tolist()


def test_an_update_that_finds_nothing_new_leaves_the_file_as_it_is(data_yahoo, yahoo, tmp_path):
    out = tmp_path / "prices.csv.gz"
    data_yahoo("AAA", "-o", out)
    before = out.stat()
    yahoo.closes["AAA"] *= 1 + 2e-7  # what Yahoo's own answers differ by
    code, stdout, stderr = data_yahoo("AAA", "-o", out, "--incremental")
    assert (code, len(yahoo.asked)) == (0, 2)
    assert "unchanged" in stdout
    assert stderr == f"{out} is up to date, and was left as it is: 1 series, 500 closes\n"
    assert (out.stat().st_mtime_ns, out.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


@pytest.mark.parametrize("ex_date", [501, 300])  # after the last stored session; and one that was told late
def test_a_dividend_has_the_whole_series_fetched_again(data_yahoo, yahoo, tmp_path, ex_date):
    out = tmp_path / "prices.parquet"
    data_yahoo("AAA", "-o", out)
    yahoo.today, yahoo.asked = 503, []
    yahoo.dividends["AAA"] = [(ex_date, 0.9996)]
    code, stdout, _ = data_yahoo("AAA", "-o", out, "--incremental")
    assert code == 0
    assert [start for _, start, _, _ in yahoo.asked] == [str(yahoo.days[250]), str(yahoo.days[0])]
    row = next(line for line in stdout.splitlines() if line.startswith("AAA"))
    assert row.startswith(f"AAA  refetched  3 new of 503 closes, {yahoo.days[0]} to {yahoo.days[502]}; ")
    assert row.endswith(f"the close of {yahoo.days[250]} was 22.5 and is 22.491")
    expected = yahoo.closes["AAA"][:503] * np.where(np.arange(503) < ex_date, 0.9996, 1)
    np.testing.assert_array_equal(closes_at(out, "AAA")[1], expected)


def test_raw_closes_are_never_put_behind_adjusted_ones(data_yahoo, yahoo, tmp_path):
    out = tmp_path / "prices.parquet"
    yahoo.dividends["AAA"] = [(400, 0.97)]
    data_yahoo("AAA", "-o", out)
    yahoo.today = 503
    assert "refetched" in data_yahoo("AAA", "-o", out, "--incremental", "--raw")[1]
    assert closes_at(out, "AAA")[1].tolist() == yahoo.closes["AAA"][:503].tolist()


def test_a_day_that_yahoo_takes_back_or_adds_has_the_series_fetched_again(data_yahoo, yahoo, tmp_path):
    out = tmp_path / "prices.parquet"
    yahoo.closes["AAA"][490] = np.nan
    data_yahoo("AAA", "-o", out)
    yahoo.closes["AAA"][490], yahoo.closes["AAA"][480] = 24.9, np.nan
    _, stdout, _ = data_yahoo("AAA", "-o", out, "--incremental")
    assert f"{yahoo.days[480]} is gone" in stdout
    assert np.array_equal(closes_at(out, "AAA")[0], np.delete(yahoo.days[:500], 480))


@pytest.mark.slow
def test_an_earlier_start_fetches_the_whole_series_in_one_question(data_yahoo, yahoo, tmp_path):
    out = tmp_path / "prices.parquet"
    data_yahoo("AAA", "-o", out, "--start", yahoo.days[100])
    yahoo.today, yahoo.asked = 501, []
    code, stdout, _ = data_yahoo("AAA", "-o", out, "--incremental", "--start", yahoo.days[40])
    assert (code, len(yahoo.asked)) == (0, 1)
    assert "appended" in stdout
    assert closes_at(out, "AAA")[0].tolist() == yahoo.days[40:501].tolist()
    stdout = data_yahoo("AAA", "-o", out, "--incremental", "--start", yahoo.days[200], "--end", yahoo.days[210])[1]
    assert "unchanged" in stdout
    assert closes_at(out, "AAA")[0].tolist() == yahoo.days[40:501].tolist()  # nothing stored is cut off
    yahoo.asked, yahoo.dividends["AAA"] = [], [(499, 0.99)]
    assert "refetched" in data_yahoo("AAA", "-o", out, "--incremental", "--start", yahoo.days[10])[1]
    assert (len(yahoo.asked), len(closes_at(out, "AAA")[0])) == (1, 491)


@pytest.mark.parametrize("rows", [slice(4, None), slice(None, -4), slice(0, 0)])
def test_a_short_series_does_not_lose_its_first_or_last_days(data_yahoo, yahoo, tmp_path, rows):
    """Nor does a series of a few days vanish, nor end the command with a traceback."""
    out = tmp_path / "prices.csv"
    yahoo.today = 8
    data_yahoo("AAA", "-o", out)
    before = out.read_bytes()
    kept = np.full(600, np.nan)
    kept[:8][rows] = yahoo.closes["AAA"][:8][rows]
    yahoo.closes["AAA"] = kept
    code, _, stderr = data_yahoo("AAA", "-o", out, "--incremental")
    assert code == 2
    assert stderr.startswith("efemera: AAA: Yahoo ")
    assert out.read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize("trouble", ["limit", "interrupt"])
def test_an_update_that_is_stopped_keeps_the_tickers_before(data_yahoo, yahoo, tmp_path, trouble, pauses, monkeypatch):
    out = tmp_path / "prices.csv"
    data_yahoo("AAA", "BBB", "-o", out)
    yahoo.today = 504

    def download(ticker, *args, **named):
        if ticker == "BBB":
            raise TryLater("Yahoo asks to slow down (429)", attempts=5) if trouble == "limit" else KeyboardInterrupt
        return yahoo.download(ticker, *args, **named)

    monkeypatch.setattr("export.data.yahoo.download.download", download)
    code, _, stderr = data_yahoo("AAA", "BBB", "-o", out, "--incremental")
    assert code == (2 if trouble == "limit" else 130)
    assert "1 of 2 tickers are done and kept" in stderr
    assert len(closes_at(out, "AAA")[1]) == 504
    assert len(closes_at(out, "BBB")[1]) == 500
    assert len(pauses) == (4 if trouble == "limit" else 0)


def test_an_answer_cut_short_does_not_replace_a_long_history(data_yahoo, yahoo, tmp_path):
    out = tmp_path / "prices.parquet"
    data_yahoo("AAA", "-o", out)
    before = out.read_bytes()
    yahoo.closes["AAA"][:450] = np.nan
    code, _, stderr = data_yahoo("AAA", "-o", out, "--incremental")
    assert code == 2
    assert "AAA: Yahoo no longer has 450 of the 500 days stored, from 2020-01-06 on" in stderr
    assert out.read_bytes() == before
    assert data_yahoo("AAA", "-o", out)[0] == 0


def test_an_update_of_nothing_fetches_everything(data_yahoo, yahoo, tmp_path):
    out = tmp_path / "new" / "prices.csv"
    assert data_yahoo("AAA", "-o", out, "--incremental")[0] == 0
    assert [start for _, start, _, _ in yahoo.asked] == [str(EARLIEST)]
    assert len(closes_at(out, "AAA")[0]) == 500


@pytest.mark.parametrize("name", ["prices[1].parquet", "prices[1].csv"])
def test_volumes_are_kept_and_updated(data_yahoo, yahoo, tmp_path, name):
    out = tmp_path / name
    out.with_stem("prices1").write_text("what [1] would match as a pattern")
    data_yahoo("BBB", "AAA", "-o", out, "--volume")
    yahoo.today = 502
    code, _, stderr = data_yahoo("AAA", "-o", out, "--volume", "--incremental")
    assert code == 0, stderr
    path = str(out).replace("[", "[[]")
    rows = duckdb.sql(f"SELECT unique_id, ds, volume FROM '{path}'").fetchall()
    days = yahoo.days.tolist()
    assert rows == [("AAA", days[at], at) for at in range(502)] + [("BBB", days[at], at) for at in range(500)]


def test_a_table_with_other_columns_is_not_added_to(data_yahoo, yahoo, tmp_path):
    plain, with_volume, other = tmp_path / "plain.csv", tmp_path / "volume.parquet", tmp_path / "other.csv"
    data_yahoo("AAA", "-o", plain)
    data_yahoo("AAA", "-o", with_volume, "--volume")
    other.write_text("unique_id,ds,y,sector\nAAA,2024-01-02,1.5,oil\n")
    yahoo.asked = []
    for out, flags, words in (
        (plain, ["--volume"], "holds no volume"),
        (with_volume, [], "holds volumes, which would be lost"),
        (other, [], "its columns are unique_id, ds, y, sector"),
    ):
        before = out.read_bytes()
        code, _, stderr = data_yahoo("AAA", "-o", out, "--incremental", *flags)
        assert (code, yahoo.asked, out.read_bytes()) == (2, [], before)
        assert f"{out}: {words}" in stderr


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("many", "line 3: volume is 'many', not a volume"),
        ("1.5", "something other than whole numbers"),
        ("", "not every close"),
    ],
)
def test_a_volume_that_is_none_is_named(data_yahoo, yahoo, tmp_path, cell, words):
    out = tmp_path / "prices.csv"
    out.write_text(f"unique_id,ds,y,volume\nAAA,2024-01-02,1.5,10\nAAA,2024-01-03,1.5,{cell}\n")
    code, _, stderr = data_yahoo("AAA", "-o", out, "--incremental", "--volume")
    assert (code, yahoo.asked) == (2, [])
    assert words in stderr


def test_a_damaged_table_is_an_error_and_stays(data_yahoo, yahoo, tmp_path):
    out = tmp_path / "prices.csv"
    out.write_text("unique_id,ds,y\nAAA,2024-01-02,x\n")
    code, _, stderr = data_yahoo("AAA", "-o", out, "--incremental", "--skip-bad")
    assert (code, yahoo.asked) == (2, [])
    assert "line 2" in stderr


def test_a_ticker_skipped_in_an_update_keeps_what_it_had(data_yahoo, yahoo, tmp_path):
    out = tmp_path / "prices.parquet"
    data_yahoo("AAA", "BBB", "-o", out)
    del yahoo.closes["BBB"]
    yahoo.today = 502
    before = out.read_bytes()
    assert data_yahoo("AAA", "BBB", "-o", out, "--incremental")[0] == 2
    assert out.read_bytes() == before
    code, stdout, _ = data_yahoo("AAA", "BBB", "-o", out, "--incremental", "--skip-bad", "--json")
    assert code == 0
    found = {ticker["ticker"]: (ticker["done"], ticker["rows"]) for ticker in json.loads(stdout)["tickers"]}
    assert found == {"AAA": ("appended", 502), "BBB": ("skipped", 500)}
    assert len(closes_at(out, "BBB")[0]) == 500


def test_a_table_on_s3_is_written_and_updated(data_yahoo, yahoo, bucket, tmp_path):
    out = "s3://market/daily/prices.parquet"
    code, _, stderr = data_yahoo("AAA", "-o", out, "--incremental", "--volume")  # nothing there yet
    assert code == 0, stderr
    yahoo.today = 504
    code, stdout, stderr = data_yahoo("AAA", "-o", out, "--incremental", "--volume", "--json")
    assert code == 0, stderr
    assert [(ticker["done"], ticker["added"]) for ticker in json.loads(stdout)["tickers"]] == [("appended", 4)]
    copy = tmp_path / "copy.parquet"
    bucket.download_file("market", "daily/prices.parquet", str(copy))
    assert closes_at(copy, "AAA")[1].tolist() == yahoo.closes["AAA"][:504].tolist()


def test_a_table_on_s3_that_may_not_be_read_is_no_empty_one(data_yahoo, yahoo, bucket, monkeypatch):
    from botocore.exceptions import ClientError

    def refuse(*_, **__):
        raise ClientError({"Error": {"Code": "403", "Message": "Forbidden"}}, "HeadObject")

    monkeypatch.setattr("boto3.s3.inject.download_file", refuse)
    code, _, stderr = data_yahoo("AAA", "-o", "s3://market/prices.csv", "--incremental")
    assert (code, yahoo.asked) == (2, [])
    assert stderr == "efemera: s3://market/prices.csv: can't be read (no permission)\n"
    assert "Contents" not in bucket.list_objects_v2(Bucket="market")


def test_a_fault_in_a_table_on_s3_speaks_of_s3(data_yahoo, yahoo, bucket):
    bucket.put_object(Bucket="market", Key="prices.csv", Body=b"unique_id,ds,y\nAAA,2024-01-02,x\n")
    code, _, stderr = data_yahoo("AAA", "-o", "s3://market/prices.csv", "--incremental")
    assert (code, yahoo.asked) == (2, [])
    assert "efemera: s3://market/prices.csv line 2" in stderr
