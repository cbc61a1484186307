"""The sums of the cost sheet, of made measures, against sums worked out by hand from the prices."""

import math

import pytest

from tests.bench import cost_units, monthly_cost
from tests.bench.cost_measures import Batch, Calls, Requests
from tests.bench.cost_units import by_api, by_batch, dollars, scaled, traces
from tests.bench.monthly_cost import largest, month_by_api, month_by_batch, of_the_stack, pruned
from tests.bench.prices import PRICES, REGIONS
from tests.bench.stack import Stack

STACK = Stack(keys=1, alarms=16, dashboards=1, snapshots=(512,), kept=3)
# Half a second of one processor is billed as 1.728 s on 512 MB; a log line of 310 bytes makes 1,000 with all beside it.
ONE = Requests(series=1, seconds=0.5, start=1.0, sent=900, answered=1_073_741, line=310)
RUN = Batch(
    shards=128, plan=34.0, work=100.0, finish=5.0, start=1.0, input=600e6, closes=300e6, tables=300e6, scored=1500e6,
    writes=Calls(fixed=10, shard=4), reads=Calls(fixed=20, shard=30),
)  # fmt: skip


def summed(units, region=REGIONS[0]):
    return sum(dollars(units, region).values())


def test_the_stack_alone_costs_what_its_parts_are_listed_at():
    snapshots = 3 * 0.5 * 730 * 3600 * 0.0000015046
    assert snapshots == pytest.approx(5.9311, abs=1e-4)
    for region in REGIONS:
        assert summed(of_the_stack(STACK), region) == pytest.approx(1.00 + 1.60 + 3.00 + 5.9311, abs=1e-4)


def test_a_version_that_is_pruned_saves_two_dollars_a_month():
    assert "Each costs 1.98 dollars a month" in pruned(STACK)


def test_a_thousand_single_requests_cost_what_was_worked_out_by_hand():
    costs = dollars(month_by_api(ONE, 1000, metrics=10), "us-east-1")
    assert costs == pytest.approx(
        {
            "HTTP API": 0.003,  # two and a bit times 512 KB go out, which are metered as three requests
            "Lambda requests": 0.0002,
            "Lambda time": 1000 * 1.728 * 0.5 * 16.6667e-6,
            "SnapStart restores": 1000 * 0.5 * 139.7998e-6 * math.exp(-600 * 1000 / 2_628_000),  # most find none warm
            "logs": 1e6 / 1024**3 * 0.50,
            "log storage": 1e6 / 1024**3 * 0.15 * 0.03,
            "X-Ray": 0.005,
            "transfer out": 0.09,
            "custom metrics": 3.00,  # ten, with a point in each of the 730 hours
        },
        rel=1e-3,
    )


def test_a_request_of_a_thousand_series_counts_once():
    thousand = Requests(series=1000, seconds=0.5, start=1.0, sent=900, answered=900, line=310)
    units = month_by_api(thousand, 73_000, metrics=10)
    assert units["HTTP API"] == units["Lambda requests"] == 73
    assert units["custom metrics"] == pytest.approx(10 * 73 / 730)


def test_requests_are_rounded_up_and_an_answer_over_512_kb_is_metered_again():
    assert by_api(ONE, 1.5)["HTTP API"] == 2 * 3


@pytest.mark.parametrize(
    ("rate", "traced"),
    [
        (1e-4, 1.0),  # each is the first of its second
        (1, 0.632 + 0.368 / 20),  # 63.2% of seconds have one at least
        (100, 0.01 + 0.99 / 20),
    ],
)
def test_x_ray_takes_the_first_request_of_a_second_and_a_twentieth_of_the_others(rate, traced):
    assert traces(1e6, rate) == pytest.approx(1e6 * traced, rel=1e-3)


def test_a_run_over_a_million_series_is_itself_when_scaled_to_a_million():
    assert scaled(RUN, 1_000_000) == RUN


@pytest.mark.parametrize(
    ("series", "shards"), [(1, 1), (256, 1), (257, 2), (2048, 8), (60_000, 8), (65_537, 16), (4_545_455, 1024)]
)
def test_a_smaller_run_has_as_many_shards_as_its_plan_makes(series, shards):
    assert scaled(RUN, series).shards == shards


def test_parts_of_a_run_grow_with_its_series_and_a_start_does_not():
    half = scaled(RUN, 500_000)
    assert (half.plan, half.work, half.tables, half.start) == (17.0, 50.0, 150e6, 1.0)


def test_a_month_of_runs_costs_what_was_worked_out_by_hand():
    costs = dollars(month_by_batch(RUN, 22_000_000, metrics=38), "us-east-1")
    assert costs["Step Functions"] == pytest.approx(22 * (7 + 2 * 128) * 25e-6)
    assert costs["S3 writes"] == pytest.approx(22 * (10 + 4 * 128) * 5e-6)
    assert costs["S3 reads"] == pytest.approx(22 * (20 + 30 * 128 + 72) * 0.4e-6)  # the input in 72 parts of 8 MiB
    assert costs["S3 storage"] == pytest.approx((22 * (0.3 + 0.3 * 7 / 30) + 0.6) * 1e9 / 1024**3 * 0.023)
    assert costs["custom metrics"] == pytest.approx(38 * 22 / 730 * 0.30)
    plan = 20.0 + 0.9e9 / 75e6 + 1.0  # 34 s on 1.7 processors, the way from S3 and to it, the start
    work = 100.0 + 2.1e9 / 75e6 + 128 * 34 * 0.03 + 100 * 1.0
    finish = 5.0 + 0.3e9 / 75e6 + 1.0
    gigabytes = 22 * (plan * 3008 + (work + finish) * 1769) / 1024
    assert costs["Lambda time"] == pytest.approx(gigabytes * 16.6667e-6, rel=1e-4)


def test_a_series_evening_is_one_forecast():
    month, evening = month_by_batch(RUN, 22_000_000, metrics=0), by_batch(RUN)
    assert month["Lambda requests"] == 22 * evening["Lambda requests"]


def test_the_largest_parts_are_named_and_none_under_a_cent():
    assert largest({"logs": 1, "X-Ray": 1234.5, "alarms": 0.009}) == "X-Ray 1,234.50, logs 1.00"


def test_the_report_names_each_amount_and_each_way_and_measures_nothing(monkeypatch):
    monkeypatch.setattr(monthly_cost, "stack", lambda: STACK)
    thousand = Requests(series=1000, seconds=0.1, start=1.0, sent=900, answered=900, line=310)
    kept, words, added = monthly_cost.report(ONE, thousand, RUN)
    assert list(kept.columns[2].cells)[-1] == "11.53"
    assert words == pruned(STACK)
    assert list(added.columns[0].cells) == [f"{one:,}" for one in (1_000, 1_000_000, 100_000_000) for _ in range(3)]
    assert all(float(cell.replace(",", "")) >= 11.53 for cell in added.columns[2].cells)


def test_every_price_has_a_page_and_a_date_for_each_region_or_says_that_none_was_found():
    for name, price in PRICES.items():
        assert price.page.endswith("pricing") or price.page.startswith("ec2/pricing"), name
        assert all(read.startswith("202") or "us-east-1" in read for read in price.read), name
        if "us-east-1" in price.read[1]:
            assert price.dollars[0] == price.dollars[1], name


def test_every_unit_that_is_counted_has_a_price():
    ways = (of_the_stack(STACK), month_by_api(ONE, 1, 1), month_by_batch(RUN, 1, 1))
    assert set().union(*ways) == PRICES.keys()
    assert cost_units.GB == 2**30
