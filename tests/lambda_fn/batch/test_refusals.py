"""A series that can't be forecast says why, in words that name file, day and value; and costs no other its forecast."""

import itertools

import numpy as np
import pandas as pd
import pytest

from tests.lambda_fn.batch.market import DAY, one
from tests.lambda_fn.batch.runs import run

GOOD = [f"{price:.2f}" for price in np.linspace(10, 12, 70)]
DATES = [str(day.date()) for day in pd.bdate_range(end=DAY, periods=70)]


def lines(name="BAD", prices=GOOD, dates=DATES):
    return [f"{name},{day},{price}" for day, price in zip(dates, prices, strict=True)]


def reason(tmp_path, rows, header="unique_id,ds,y", name="BAD"):
    """Status and reason of the series called BAD, beside a good one that must have its forecast."""
    path = tmp_path / "market.csv"
    path.write_text("\n".join([header, *rows, *([] if header != "unique_id,ds,y" else lines("GOOD")), ""]))
    ran = run(path, tmp_path / "out")
    if header == "unique_id,ds,y":
        assert ran.reasons["GOOD"] == ("forecast", None)
        assert set(ran.reasons) == {"GOOD", name}
    return ran.reasons[name]


def reasons(tmp_path, tables):
    """Status and reason of each of several series, the rows of each given as of one called BAD."""
    path = tmp_path / "market.csv"
    rows = [row.replace("BAD", f"S{number:03}") for number, table in enumerate(tables) for row in table]
    path.write_text("\n".join(["unique_id,ds,y", *rows, ""]))
    return list(run(path, tmp_path / "out").reasons.values())


def with_price(at, price):
    prices = list(GOOD)
    prices[at] = price
    return lines(prices=prices)


BAD_PRICES = [
    "0", "-1", "-0.0", "nan", "NaN", "", "abc", "1e13", "1000000000001", "1e-10", "inf", "-inf", "1e999", "1_000",
    "R$ 12", "0x10", "1e", "--3", "12.5.1", "true", "null", "1 000", "\u0661", "12\u00a0", "½",
]  # fmt: skip


def test_a_bad_price_names_file_day_and_value(tmp_path):
    assert reasons(tmp_path, [with_price(-3, price) for price in BAD_PRICES]) == [
        ("bad price", f"y '{price}' on {DATES[-3]} in market.csv is no price between 1e-9 and 1e12")
        for price in BAD_PRICES
    ]


def test_a_price_at_the_ends_of_what_is_served_or_oddly_written_is_none_the_worse(tmp_path):
    prices = ["1e-9", "1e12", "0.000000001", "1000000000000", "+5", " 7 ", "1E3", ".5", "5."]
    assert set(reasons(tmp_path, [with_price(-3, price) for price in prices])) == {("forecast", None)}


def test_a_bad_price_in_parquet_does_too(tmp_path):
    shown = {"0.0": 0.0, "-1.0": -1.0, "10000000000000.0": 1e13, "inf": np.inf, "": np.nan}  # pandas writes NaN as null
    tables = [one(name, [*map(float, GOOD[:-1]), price]) for name, price in shown.items()]
    pd.concat(tables).assign(unique_id=np.repeat([f"S{n}" for n in range(5)], 70)).to_parquet(tmp_path / "p.parquet")
    assert list(run(tmp_path / "p.parquet", tmp_path / "out").reasons.values()) == [
        ("bad price", f"y '{price}' on {DAY} in p.parquet is no price between 1e-9 and 1e12") for price in shown
    ]


def test_a_decimal_comma_is_never_read_as_its_whole_part(tmp_path):
    assert reason(tmp_path, with_price(-3, "32,50")) == (
        "bad row",
        f"4 fields where the header has 3, ds '{DATES[-3]}' in market.csv",
    )


@pytest.mark.parametrize("header", ["unique_id,ds,y,volume", "unique_id,ds,volume,y"])
def test_a_decimal_comma_is_caught_in_a_table_of_more_columns_too(tmp_path, header):
    rows = [f"BAD,{day},{price},{price}" for day, price in zip(DATES, GOOD, strict=True)]
    rows[-1] = f"BAD,{DAY},32,50,7"
    assert reason(tmp_path, rows, header) == ("bad row", f"5 fields where the header has 4, ds '{DAY}' in market.csv")


def test_a_decimal_comma_in_quotes_is_a_bad_price(tmp_path):
    assert reason(tmp_path, with_price(-3, '"32,50"')) == (
        "bad price",
        f"y '32,50' on {DATES[-3]} in market.csv is no price between 1e-9 and 1e12",
    )


def test_a_row_with_too_few_fields_is_a_bad_row(tmp_path):
    assert reason(tmp_path, [*lines()[:-1], f"BAD,{DAY}"]) == (
        "bad row",
        f"2 fields where the header has 3, ds '{DAY}' in market.csv",
    )


BAD_DATES = [
    "2026-02-30", "19/11/2026", "20261119", "2026-11-9", "", "yesterday", "2026-11-19 18:00:00", "0000-01-01",
    "2026-11-19T00:00:01", "10000-01-01", "-2026-11-19", "2026-13-01", "46345", "infinity", "epoch", "2026-11-19 (BC)",
]  # fmt: skip


def test_a_bad_date_names_file_and_value(tmp_path):
    assert reasons(tmp_path, [[*lines()[:-1], f"BAD,{date},12"] for date in BAD_DATES]) == [
        ("bad date", f"ds '{date}' in market.csv is no day (YYYY-MM-DD)") for date in BAD_DATES
    ]


def test_midnight_is_a_day(tmp_path):
    written = [" 2026-11-19 ", *(f"2026-11-19{more}" for more in (" 00:00:00", "T00:00:00.000", "T00:00Z", " 00:00"))]
    tables = [[*lines()[:-1], f"BAD,{date},12"] for date in written]
    assert set(reasons(tmp_path, tables)) == {("forecast", None)}


def test_a_moment_of_a_day_in_parquet_is_no_day(tmp_path):
    rows = one("BAD", GOOD)
    rows.loc[69, "ds"] += pd.Timedelta(hours=18)
    rows.to_parquet(tmp_path / "market.parquet", index=False)
    assert run(tmp_path / "market.parquet", tmp_path / "out").reasons["BAD"] == (
        "bad date", f"ds '{DAY} 18:00:00' in market.parquet is no day (YYYY-MM-DD)",
    )  # fmt: skip


def test_a_row_without_a_day_is_held_against_its_series_wherever_it_stands(tmp_path):
    assert reason(tmp_path, ["BAD,once,12", *lines()])[0] == "bad date"


def test_a_long_value_is_shown_by_its_beginning(tmp_path):
    _, words = reason(tmp_path, with_price(-1, "x" * 100_000))
    assert words == f"y '{'x' * 40}' on {DAY} in market.csv is no price between 1e-9 and 1e12"


@pytest.mark.parametrize("name", ["", " ", "\t"])
def test_rows_without_an_id_are_told_as_one_series(tmp_path, name):
    assert reason(tmp_path, lines(name), name="(no unique_id)") == (
        "no name",
        f"a row of {DATES[-60]} in market.csv has no unique_id",
    )


def test_rows_without_an_id_in_parquet_are_too(tmp_path):
    rows = pd.concat([one("GOOD", GOOD), one(None, GOOD), one("", GOOD), one(" ", GOOD)])
    rows.to_parquet(tmp_path / "p.parquet", index=False)
    ran = run(tmp_path / "p.parquet", tmp_path / "out")
    assert ran.reasons["GOOD"] == ("forecast", None)
    assert ran.reasons["(no unique_id)"][0] == "no name"
    assert ran.success.series == 2


def test_fewer_closes_than_the_model_reads(tmp_path):
    assert reason(tmp_path, lines()[-59:]) == ("too short", f"59 closes up to {DAY}; 60 are needed")


def test_no_close_up_to_the_day_at_all(tmp_path):
    later = pd.bdate_range("2026-11-20", periods=70)
    rows = lines(dates=[str(day.date()) for day in later])
    assert reason(tmp_path, rows) == ("too short", f"0 closes up to {DAY}; 60 are needed")


def test_a_run_for_a_day_before_all_data_refuses_every_series(prices, tmp_path):
    ran = run(prices, tmp_path / "out", "2020-01-02")
    assert set(ran.reasons.values()) == {("too short", "0 closes up to 2020-01-02; 60 are needed")}
    assert ran.success.refused == {"too short": 40}
    assert ran.plan.rows == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("calendar", "last_good"), [("weekdays", "2026-11-12"), ("BVMF", "2026-11-12"), ("24/7", "2026-11-14")]
)
def test_a_close_older_than_five_sessions_is_stale(tmp_path, calendar, last_good):
    day = pd.Timestamp(last_good)
    for last, status in ((day, "forecast"), (day - pd.Timedelta(days=1), "stale")):
        rows = lines(dates=[str(one.date()) for one in pd.date_range(end=last, periods=70)])
        path = tmp_path / f"{status}.csv"
        path.write_text("\n".join(["unique_id,ds,y", *rows]))
        found = run(path, tmp_path / "out", calendar=calendar).reasons["BAD"]
        words = f"last close on {last.date()}, more than 5 sessions before {DAY}"
        assert found == (status, words if status == "stale" else None)


def test_a_holiday_is_no_session_that_makes_a_close_older(tmp_path):
    one("A", GOOD, "2026-11-12").to_parquet(tmp_path / "p.parquet", index=False)  # B3 rests on the twentieth
    for calendar, status in (("weekdays", "stale"), ("BVMF", "forecast")):
        ran = run(tmp_path / "p.parquet", tmp_path / "out", "2026-11-20", calendar=calendar)
        assert ran.reasons["A"][0] == status


def test_how_old_a_close_may_be_can_be_said(tmp_path):
    one("A", GOOD, "2026-11-17").to_parquet(tmp_path / "p.parquet", index=False)
    for stale_after, status in ((0, "stale"), (1, "stale"), (2, "forecast"), (1000, "forecast")):
        ran = run(tmp_path / "p.parquet", tmp_path / "out", stale_after=stale_after)
        assert ran.reasons["A"][0] == status, stale_after


FAULTS = {  # most telling first
    "bad date": lambda rows: [*rows, "BAD,never,3"],
    "bad price": lambda rows: [*rows[:-1], f"{rows[-1].rpartition(',')[0]},0"],
    "duplicate date": lambda rows: [*rows, f"{rows[-2].rpartition(',')[0]},99"],
    "too short": lambda rows: rows[-20:],
    "stale": lambda rows: [row.replace(",2026-", ",2016-").replace("2016-02-29", "2016-02-28") for row in rows],
}


def test_of_two_faults_the_more_telling_one_is_told(tmp_path):
    pairs = list(itertools.combinations(FAULTS, 2))
    tables = []
    for first, second in pairs:
        rows = lines()
        order = (second, first) if second in ("too short", "stale") else (first, second)
        for fault in order:  # what changes all rows before what changes one
            rows = FAULTS[fault](rows)
        tables.append(rows)
    assert [status for status, _ in reasons(tmp_path, tables)] == [first for first, _ in pairs]


@pytest.mark.slow
def test_of_several_faults_of_one_kind_the_earliest_is_told_and_always_the_same(tmp_path):
    rows = [*lines()[:-2], *with_price(-2, "x")[-2:-1], f"BAD,{DATES[-2]},a", f"BAD,{DAY},0"]
    bad_dates = ["BAD,b,1", "BAD,a,1", "BAD,c,1"]
    for order in (rows[-3:], rows[:-4:-1]):
        assert reason(tmp_path, [*rows[:-3], *order]) == (
            "bad price",
            f"y 'a' on {DATES[-2]} in market.csv is no price between 1e-9 and 1e12",
        )
    for order in (bad_dates, bad_dates[::-1]):
        assert reason(tmp_path, [*lines(), *order])[1] == "ds 'a' in market.csv is no day (YYYY-MM-DD)"


def test_a_good_and_a_bad_price_of_one_day_is_a_bad_price_whatever_else_is_in_the_table(tmp_path):
    rows = [*lines(), f"BAD,{DATES[-5]},abc"]
    expected = ("bad price", f"y 'abc' on {DATES[-5]} in market.csv is no price between 1e-9 and 1e12")
    assert reason(tmp_path, rows) == expected
    path = tmp_path / "market.csv"
    path.write_text("\n".join(["unique_id,ds,y", *rows, *lines("OTHER"), f"OTHER,{DAY},0"]))
    assert run(path, tmp_path / "both").reasons["BAD"] == expected


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["0", "abc", "32,50", ""])
def test_a_fault_outside_the_last_sixty_rows_does_not_refuse(tmp_path, fault):
    assert reason(tmp_path, with_price(9, fault)) == ("forecast", None)
    assert reason(tmp_path, with_price(10, fault))[0] in ("bad price", "bad row")


def test_nor_does_one_outside_them_where_another_series_has_one_inside(tmp_path):
    early, late = with_price(9, "0"), [*lines(), "BAD,2026-11-20,0", "BAD,2026-11-23,x"]
    found = reasons(tmp_path, [early, late, with_price(-1, "0"), [*lines(), "BAD,never,1"]])
    assert [status for status, _ in found] == ["forecast", "forecast", "bad price", "bad date"]


def test_a_bad_row_takes_its_place_among_the_sixty(tmp_path):
    rows = lines()[-60:]
    rows[0] = rows[0].rpartition(",")[0] + ",0"
    assert reason(tmp_path, rows)[0] == "bad price"  # and is not left out for the row before it
    assert reason(tmp_path, [*lines()[:-60], *rows])[0] == "bad price"


def test_the_file_named_is_that_of_the_fault(tmp_path):
    (tmp_path / "a.csv").write_text("\n".join(["unique_id,ds,y", *lines()[:-1]]))
    (tmp_path / "b.csv").write_text(f"unique_id,ds,y\nBAD,{DAY},0\n")
    assert run([tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "out").reasons["BAD"] == (
        "bad price", f"y '0' on {DAY} in b.csv is no price between 1e-9 and 1e12",
    )  # fmt: skip
