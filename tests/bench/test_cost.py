"""The cost sheet: its counts and constants against template.yaml, its sums against sums worked out by hand."""

import math
import re

import pytest
import yaml

from tests.bench import cost
from tests.bench.cost import by_api, by_batch, dollars, month_by_api, month_by_batch, months, of_the_stack
from tests.bench.cost_measures import Batch, Requests
from tests.bench.prices import PRICES, REGIONS
from tests.bench.stack import TEMPLATE, Stack, read, stack

TEXT = TEMPLATE.read_text(encoding="utf-8")
STACK = Stack(keys=1, alarms=16, dashboards=1, snapshots=(512,), kept=3)
# Half a second of one processor is billed as 1.728 s on 512 MB; a log line of 310 bytes makes 1,000 with all beside it.
ONE = Requests(series=1, seconds=0.5, sent=900, answered=1_073_741, line=310)
THOUSAND = Requests(series=1000, seconds=0.1, sent=900, answered=900, line=310)
RUN = Batch(series=1e6, plan=34.0, work=100.0, finish=5.0, start=1.0, input=600e6, closes=300e6, tables=300e6)


def test_what_is_counted_is_what_the_template_holds():
    kept = stack()
    watched = re.findall(r"^      MetricName:|MetricStat:", TEXT, re.M)  # of an alarm's own, and of its metric math
    assert kept.alarms == len(watched) > 0
    assert kept.dashboards == TEXT.count("Type: AWS::CloudWatch::Dashboard") == 1
    assert kept.keys == TEXT.count("Type: AWS::KMS::Key") == 1
    assert kept.kept == int(re.search(r'KEPT: "(\d+)"', TEXT)[1])
    assert kept.snapshots == (cost.API_MB,)  # the API's alone


def test_the_sums_take_memory_disk_and_workers_from_the_template():
    template = read()
    functions = [template["Resources"][f"{name}Function"]["Properties"] for name in ("Api", "Plan", "Batch", "Finish")]
    memory = [function["MemorySize"] for function in functions]
    assert memory == [cost.API_MB, cost.PLAN_MB, cost.BATCH_MB, cost.FINISH_MB]
    assert functions[1]["EphemeralStorage"]["Size"] == cost.PLAN_STORAGE_MB
    assert template["Parameters"]["MaxConcurrency"]["Default"] == cost.TOGETHER


def test_the_template_is_read_without_running_anything_in_it(tmp_path):
    template = tmp_path / "template.yaml"
    template.write_text("Resources: { A: !!python/object/apply:os.getcwd [] }\n", encoding="utf-8")
    with pytest.raises(yaml.constructor.ConstructorError):
        read(template)


def test_the_stack_alone_costs_what_its_parts_are_listed_at():
    snapshots = 3 * 0.5 * 730 * 3600 * 0.0000015046
    for region in REGIONS:
        assert sum(dollars(of_the_stack(STACK), region).values()) == pytest.approx(1.00 + 1.60 + 3.00 + snapshots)


def test_a_thousand_single_requests_cost_what_was_worked_out_by_hand():
    assert dollars(month_by_api(ONE, 1000)) == pytest.approx(
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
    units = month_by_api(THOUSAND, 73_000)
    assert units["HTTP API"] == units["Lambda requests"] == 73
    assert units["custom metrics"] == pytest.approx(10 * 73 / 730)


@pytest.mark.parametrize(("rate", "traced"), [(1e-4, 1.0), (1, 0.632 + 0.368 / 20), (100, 0.01 + 0.99 / 20)])
def test_x_ray_takes_the_first_request_of_a_second_and_a_twentieth_of_the_others(rate, traced):
    assert by_api(ONE, 1e6, rate)["X-Ray"] == pytest.approx(1e6 * traced, rel=1e-3)


@pytest.mark.parametrize(("series", "shards"), [(1, 1), (8192, 1), (8193, 2), (1_000_000, 128), (4_545_455, 1024)])
def test_a_run_has_as_many_shards_as_its_plan_makes(series, shards):
    assert by_batch(RUN._replace(series=series))["Lambda requests"] == shards + 2


def test_a_month_of_runs_costs_what_was_worked_out_by_hand():
    costs = dollars(month_by_batch(RUN, 22_000_000))
    assert costs["Step Functions"] == pytest.approx(22 * (7 + 2 * 128) * 25e-6)
    assert costs["S3 writes"] == pytest.approx(22 * (12 + 4 * 128) * 5e-6)
    assert costs["S3 reads"] == pytest.approx(22 * (10 + 29 * 128 + 72) * 0.4e-6)  # the input in 72 parts of 8 MiB
    assert costs["S3 storage"] == pytest.approx((22 * (0.3 + 0.3 * 7 / 30) + 0.6) * 1e9 / 1024**3 * 0.023)
    assert costs["custom metrics"] == pytest.approx(38 * 22 / 730 * 0.30)
    plan = 20.0 + 0.9e9 / 75e6 + 1.0  # 34 s on 1.7 processors, the way from S3 and to it, the start
    work = 100.0 + 2.1e9 / 75e6 + 128 * 33 * 0.03 + 100 * 1.0
    finish = 5.0 + 0.3e9 / 75e6 + 1.0
    gigabytes = 22 * (plan * 3008 + (work + finish) * 1769) / 1024
    assert costs["Lambda time"] == pytest.approx(gigabytes * 16.6667e-6, rel=1e-4)


def test_a_table_for_each_month_ends_with_its_sums():
    idle, *added = months(STACK, ONE, THOUSAND, RUN)
    assert [list(column.cells)[-1] for column in idle.columns] == ["all, sa-east-1", "11.53"]
    assert [table.title.split()[-2] for table in added] == ["1,000", "1,000,000", "100,000,000"]
    assert all(float(list(way.cells)[-2].replace(",", "")) >= 11.53 for table in added for way in table.columns[1:])


def test_every_unit_has_a_price_with_a_date_and_one_that_was_not_found_is_us_east_1s():
    assert set().union(of_the_stack(STACK), month_by_api(ONE, 1), month_by_batch(RUN, 1)) == PRICES.keys()
    for price in PRICES.values():
        assert price.read[0].startswith("202")
        assert price.read[1].startswith("202") or price.dollars[0] == price.dollars[1]
