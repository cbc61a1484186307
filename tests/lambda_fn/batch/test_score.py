"""Each run scores the forecasts of earlier ones: every step once, in returns, as pandas would."""

import numpy as np
import pandas as pd
import pytest

from tests.lambda_fn.batch import oracle
from tests.lambda_fn.batch.evenings import DAYS, Evenings, held
from tests.lambda_fn.batch.market import table
from tests.lambda_fn.batch.runs import run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def closes():
    return table(20, 90, DAYS[-1], seed=11)


def test_evening_after_evening_every_step_is_scored_once_when_its_close_is_known(evenings, closes):
    for day in DAYS[:7]:
        evenings.run(day, closes)
    assert evenings.scored == DAYS[1:7]  # on the first evening there is nothing to score
    for number, day in enumerate(DAYS[1:7], start=1):
        known = closes[closes["ds"] <= day]
        found = evenings.scores(day)
        held(found, oracle.scores(evenings.made(*DAYS[max(0, number - 5) : number]), known, DAYS[number - 1]))
        assert list(zip(found["step"], found["as_of"], strict=True)) == [
            (step, pd.Timestamp(DAYS[number - step])) for step in range(min(5, number), 0, -1)
        ]
        assert set(found["series"]) == {20}
    every = pd.concat([evenings.scores(day) for day in evenings.scored])
    assert not every.duplicated(["as_of", "step"]).any()


def test_the_scores_table_has_the_documented_columns_and_types(evenings, closes):
    for day in DAYS[:2]:
        evenings.run(day, closes)
    found = pd.read_parquet(evenings.folder / "out" / "scores" / f"{DAYS[1]}.parquet")
    assert list(found) == [
        "ds", "step", "as_of", "run", "model_version", "model_digest", "series",
        "mae", "mae_naive", "pinball", "coverage-50", "coverage-80", "coverage-95",
    ]  # fmt: skip
    first = evenings.runs[DAYS[0]]
    assert found.iloc[0][["run", "model_version", "model_digest"]].tolist() == [
        first.place.run, first.success.model_version, first.success.model_digest,
    ]  # fmt: skip
    assert str(found["ds"].iloc[0]) == DAYS[1]
    assert str(found["as_of"].iloc[0]) == DAYS[0]


def test_the_figures_are_those_worked_out_by_hand(evenings):
    """Two series of 60 equal closes whose next close is 1% up and 2% down; a constant window has a known fan."""
    flat = pd.concat([table(2, 61, DAYS[1])]).assign(y=10.0)
    last = flat.groupby("unique_id").tail(1).index
    flat.loc[last, "y"] = [10.1, 9.8]
    evenings.run(DAYS[0], flat)
    evenings.run(DAYS[1], flat)
    first = evenings.runs[DAYS[0]].forecasts.query("step == 1").iloc[0]
    told = {quantile: np.log(first[name] / 10) for name, quantile in oracle._quantile_of.items()}
    up, down = np.log(1.01), np.log(0.98)
    [found] = evenings.scores(DAYS[1]).to_dict("records")
    median = told[0.5]
    assert found["mae"] == pytest.approx((abs(up - median) + abs(down - median)) / 2, rel=1e-12)
    assert found["mae_naive"] == pytest.approx((up - down) / 2, rel=1e-12)
    losses = [max(q * (met - f), (q - 1) * (met - f)) for met in (up, down) for q, f in told.items()]
    assert found["pinball"] == pytest.approx(sum(losses) / 14, rel=1e-12)
    for level, low, high in ((95, 0.025, 0.975), (80, 0.1, 0.9), (50, 0.25, 0.75)):
        assert found[f"coverage-{level}"] == sum(told[low] <= met <= told[high] for met in (up, down)) / 2


def test_a_step_is_the_series_own_next_row_whatever_day_that_is(evenings, closes):
    """Series that skip days: their second step is their second row, weeks later perhaps."""
    skipped = (closes["unique_id"] < "S0008") & closes["ds"].isin(pd.to_datetime([DAYS[1], DAYS[3]]))
    paused = (closes["unique_id"] == "S0010") & closes["ds"].between(DAYS[1], DAYS[5])
    gapped = closes[~skipped & ~paused]
    for day in DAYS[:8]:
        evenings.run(day, gapped)
    for number in range(1, 8):
        expected = oracle.scores(
            evenings.made(*DAYS[max(0, number - 7) : number]), gapped[gapped["ds"] <= DAYS[number]], DAYS[number - 1]
        )
        held(evenings.scores(DAYS[number]), expected)
    met = evenings.scores(DAYS[4]).set_index(["as_of", "step"])["series"]
    assert met[pd.Timestamp(DAYS[0]), 2] == 8  # those that skipped: two rows in four days
    assert met[pd.Timestamp(DAYS[0]), 4] == 11  # all others but the one that paused
    assert evenings.scores(DAYS[6]).set_index(["as_of", "step"])["series"][pd.Timestamp(DAYS[0]), 1] == 1


def test_closes_readjusted_after_a_dividend_do_not_count_as_misses(evenings, closes):
    evenings.run(DAYS[0], closes)
    plainly = Evenings(evenings.folder / "plainly")
    plainly.folder.mkdir()
    plainly.run(DAYS[0], closes)
    for day in DAYS[1:4]:
        factor = 0.2 + closes["unique_id"].str[1:].astype(int) / 7
        evenings.run(day, closes.assign(y=closes["y"] * factor))  # every close so far, as Yahoo does it
        plainly.run(day, closes)
        one, other = evenings.scores(day), plainly.scores(day)
        first = one["as_of"] == DAYS[0]
        for column in ("mae", "mae_naive", "pinball", "coverage-80"):
            np.testing.assert_allclose(one.loc[first, column], other.loc[first, column], rtol=1e-9)


def test_a_price_that_falls_by_its_dividend_alone_would_be_a_miss(evenings, closes):
    """The control: without re-adjustment the same fall is an error."""
    evenings.run(DAYS[0], closes)
    evenings.run(DAYS[1], closes.assign(y=closes["y"].where(closes["ds"] < DAYS[1], closes["y"] * 0.5)))
    assert evenings.scores(DAYS[1])["mae"].iloc[0] > 0.5


def test_a_series_that_is_no_longer_there_is_no_miss(evenings, closes):
    evenings.run(DAYS[0], closes)
    evenings.run(DAYS[1], closes[closes["unique_id"] > "S0004"])
    assert evenings.scores(DAYS[1])["series"].tolist() == [15]


def test_a_series_refused_today_is_scored_where_its_closes_are_known(evenings, closes):
    evenings.run(DAYS[0], closes)
    two = closes[~((closes["unique_id"] == "S0001") & (closes["ds"] < "2026-10-01"))]  # too short by now
    bad = two.assign(y=two["y"].where((two["unique_id"] != "S0002") | (two["ds"] != DAYS[1]), 0.0))
    evenings.run(DAYS[1], bad)
    status = {name: status for name, (status, _) in evenings.runs[DAYS[1]].reasons.items()}
    assert (status["S0001"], status["S0002"]) == ("too short", "bad price")
    assert evenings.scores(DAYS[1])["series"].tolist() == [19]  # all but the one whose close is none


@pytest.mark.parametrize("row", ["{day}x", "{day} 18:00:00"])
def test_a_series_with_a_row_of_no_day_is_not_scored_by_the_wrong_row(evenings, closes, row):
    """That row may be the very one which was to come: the next would be taken for it."""
    evenings.run(DAYS[0], closes)
    known = closes[closes["ds"] <= DAYS[2]].assign(ds=closes["ds"].dt.strftime("%Y-%m-%d"))
    known.loc[(known["unique_id"] == "S0003") & (known["ds"] == DAYS[1]), "ds"] = row.format(day=DAYS[1])
    known.to_csv(evenings.folder / "prices.csv", index=False)
    ran = run(evenings.folder / "prices.csv", evenings.folder / "out", DAYS[2])
    assert ran.reasons["S0003"][0] == "bad date"
    assert evenings.scores(DAYS[2])["series"].tolist() == [19, 19]


def test_a_series_with_two_closes_of_one_day_is_not_scored(evenings, closes):
    evenings.run(DAYS[0], closes)
    again = closes[(closes["unique_id"] == "S0003") & (closes["ds"] == DAYS[1])]
    evenings.run(DAYS[1], pd.concat([closes, again.assign(y=again["y"] * 2)]))
    assert evenings.scores(DAYS[1])["series"].tolist() == [19]
    twice = Evenings(evenings.folder / "twice")
    twice.folder.mkdir()
    twice.run(DAYS[0], closes)
    twice.run(DAYS[1], pd.concat([closes, again]))  # one close given twice is one
    assert twice.scores(DAYS[1])["series"].tolist() == [20]


def test_a_stale_series_forecast_from_an_old_close_is_scored_from_that_close(evenings, closes):
    old = closes[~((closes["unique_id"] == "S0003") & closes["ds"].between("2026-10-28", DAYS[2]))]
    for day in DAYS[:5]:
        evenings.run(day, old)
    for number in range(1, 5):
        expected = oracle.scores(evenings.made(*DAYS[:number]), old[old["ds"] <= DAYS[number]], DAYS[number - 1])
        held(evenings.scores(DAYS[number]), expected)
    assert evenings.scores(DAYS[3]).set_index(["as_of", "step"])["series"][pd.Timestamp(DAYS[0]), 1] == 1


def test_a_forecast_from_a_close_older_than_this_run_would_take_is_scored(evenings):
    long = table(20, 150, DAYS[-1])
    old = long[~((long["unique_id"] == "S0003") & long["ds"].between("2026-09-01", DAYS[0]))]
    assert evenings.run(DAYS[0], old, stale_after=100).reasons["S0003"] == ("forecast", None)
    evenings.run(DAYS[1], old, stale_after=0)
    assert evenings.scores(DAYS[1])["series"].tolist() == [20]


def test_scores_are_the_same_to_the_last_bit_however_the_rows_came(evenings):
    """Many new series today make DuckDB read these, in their order, against the forecasts."""
    many = table(1500, 61, DAYS[0], seed=1)
    many = pd.concat([many, table(1500, 1, DAYS[1], seed=2)])
    few = many[many["unique_id"] < "S0100"]
    seen = set()
    for seed in range(3):
        out = evenings.folder / f"out{seed}"
        for day, rows in ((DAYS[0], few), (DAYS[1], many)):
            path = evenings.folder / "prices.parquet"
            rows.sample(frac=1, random_state=seed).to_parquet(path, index=False)
            run(path, out, day, series_per_shard=100_000)
        seen.add(pd.read_parquet(out / "scores" / f"{DAYS[1]}.parquet").drop(columns="run").to_csv())
    assert len(seen) == 1
