"""Whole series of prices: repeats, clashes, too few rows, jumps, and the arrays that hold them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from export.data.prices import Prices, make_prices, read_prices
from export.errors import InputError
from tests.export.data.price_tables import as_table, refusal
from tests.lambda_fn.tables.price_tables import GOOD, HEADER, write
from tests.lambda_fn.tables.test_faults import ROW_FAULTS


def test_rows_given_twice_at_the_same_price_are_merged_and_counted(tmp_path):
    first = write(tmp_path / "1.csv", GOOD + "A,2024-01-02,10.0\n")
    second = write(tmp_path / "2.csv", GOOD + "A,2024-01-04,11\n")
    prices = read_prices([first, second], minimum=3)
    assert as_table(prices) == {"A": {"2024-01-02": 10.0, "2024-01-03": 10.5, "2024-01-04": 11.0}}
    assert prices.notes == ("rows that repeat a unique_id and ds at the same price, merged: 3",)
    with pytest.raises(InputError, match="too short: 3 of at least 4 rows"):
        read_prices([first, second], minimum=4)  # a merged row counts once


def test_one_day_at_two_prices_is_refused_with_both_places(tmp_path):
    path = write(tmp_path / "1.csv", GOOD + "A,2024-01-02,10\nB,2024-01-02,1\n")
    other = write(tmp_path / "2.csv", HEADER + "\nA,2024-01-02,10.25\n")
    clash = f"{other} line 3: A on 2024-01-02 is 10.25, but 10.0 at {path} line 2"
    assert refusal(path, other) == clash
    prices = read_prices([path, other], minimum=1, skip_bad=True)
    assert prices.ids == ("B",)
    assert prices.notes == (f"A: skipped, {clash}",)


def test_the_last_day_of_one_series_and_the_first_of_the_next_are_not_taken_for_one(tmp_path):
    path = write(tmp_path / "t.csv", HEADER + "A,2024-01-02,1\nB,2024-01-02,100\nC,2024-01-02,100\n")
    prices = read_prices([path], minimum=1)
    assert len(prices) == 3
    assert prices.notes == ()


def test_a_series_shorter_than_the_minimum_is_refused_or_skipped(tmp_path):
    path = write(tmp_path / "t.csv", GOOD + "B,2024-01-02,1\n")
    assert read_prices([path], minimum=1).ids == ("A", "B")
    assert refusal(path, minimum=2) == f"{path}: B is too short: 1 of at least 2 rows"
    prices = read_prices([path], minimum=2, skip_bad=True)
    assert prices.ids == ("A",)
    assert prices.notes == (f"B: skipped, {path}: B is too short: 1 of at least 2 rows",)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after", "ratio"),
    [
        *((100.0, 100.0 / n * 1.02, f"1/{n}") for n in (2, 3, 4, 5, 8, 10, 20, 50, 100)),
        *((1.0, n * 0.98, f"{n}") for n in (2, 3, 4, 5, 8, 10, 20, 50, 100)),
        (10.0, 15.0, "3/2"),
    ],
)
def test_a_jump_near_a_simple_ratio_is_a_warning_naming_id_date_and_ratio(tmp_path, before, after, ratio):
    path = write(tmp_path / "t.csv", HEADER + f"A,2024-01-02,{before!r}\nA,2024-01-03,{after!r}\n")
    [note] = read_prices([path], minimum=1).notes
    assert note.startswith("warning: A on 2024-01-03: ")
    assert f"a ratio of {after / before:.4g}, close to {ratio};" in note


@pytest.mark.parametrize("after", [61.0, 55.0, 52.1, 48.3, 45.0, 139.0, 170.0, 250.0])
def test_a_jump_that_is_small_or_near_no_simple_ratio_gets_no_warning(tmp_path, after):
    path = write(tmp_path / "t.csv", HEADER + f"A,2024-01-02,100\nA,2024-01-03,{after}\n")
    assert read_prices([path], minimum=1).notes == ()


@pytest.fixture
def three() -> Prices:
    return make_prices(
        {
            "PETR4": (["2024-01-03", "2024-01-02"], [2.0, 1.0]),
            "AAPL": (["2024-01-02"], [3.0]),
            "VALE3": (["2024-01-02", "2024-01-05", "2024-01-04"], [4.0, 6.0, 5.0]),
        },
        sources=["made"],
    )


def test_prices_made_from_arrays_are_sorted_by_id_and_day(three):
    assert three.ids == ("AAPL", "PETR4", "VALE3")
    assert three.starts.tolist() == [0, 1, 3, 6]
    assert three.y.tolist() == [3.0, 1.0, 2.0, 4.0, 5.0, 6.0]
    assert (three.ds.dtype, three.y.dtype, three.starts.dtype) == ("datetime64[D]", "float64", "int64")
    assert three.sources == ("made",)
    assert len(three) == 6


@pytest.mark.parametrize(("ds", "y"), [(["2024-01-02"] * 2, [1, 1]), (["2024-01-02"], [0]), (["2024-01-02"], [1, 2])])
def test_arrays_that_are_no_prices_are_a_programmers_mistake(ds: Sequence[str], y: Sequence[float]):
    with pytest.raises(AssertionError):
        make_prices({"A": (ds, y)})


def test_an_unknown_series_is_refused_with_near_or_known_ids(three):
    with pytest.raises(InputError, match=r"no series 'PETR3'; known are PETR4 \(3 in all\)"):
        three.series("PETR3")
    with pytest.raises(InputError, match=r"no series '~'; known are AAPL, PETR4, VALE3 \(3 in all\)"):
        three.only(["AAPL", "~"])


def test_only_keeps_the_series_asked_for(three):
    some = three.only(["VALE3", "AAPL", "VALE3"])
    assert as_table(some) == {unique_id: as_table(three)[unique_id] for unique_id in ("AAPL", "VALE3")}
    assert some.sources == three.sources
    assert len(three.only([])) == 0
    assert three.only(three.ids).digest() == three.digest()


def test_the_digest_tells_ids_days_closes_and_borders_apart():
    day, next_day = "2024-01-02", "2024-01-03"
    tables = [
        {"A": ([day, next_day], [1, 2])},
        {"B": ([day, next_day], [1, 2])},
        {"A": ([day, "2024-01-04"], [1, 2])},
        {"A": ([day, next_day], [1, np.nextafter(2, 3)])},
        {"A": ([day], [1]), "B": ([next_day], [2])},
        {"A, B": ([day], [1]), "": ([next_day], [2])},
    ]
    assert len({make_prices(table).digest() for table in tables}) == len(tables)


@pytest.mark.slow
@pytest.mark.parametrize(("line", "fault"), ROW_FAULTS)
def test_skip_bad_leaves_the_faulty_series_out_whole_and_notes_why(tmp_path, line, fault):
    path = write(tmp_path / "t.csv", HEADER + f"A,2024-01-02,10\nB,2024-01-01,1\n{line}\n")
    prices = read_prices([path], minimum=1, skip_bad=True)
    name = "B" if line.startswith("B") else "rows without unique_id"
    assert prices.notes == (f"{name}: skipped, {path} line 4: {fault}",)
    assert prices.ids == (("A",) if name == "B" else ("A", "B"))


def test_the_first_of_several_faults_is_named_and_the_series_are_counted(tmp_path):
    path = write(tmp_path / "t.csv", HEADER + "B,2024-01-02,x\nA,2024-01-02,y\nB,2024-01-03,z\n")
    assert refusal(path) == f"{path} line 2: y is 'x', not a price (the first of 2 series with a fault)"
    assert refusal(path, skip_bad=True).startswith(f"every series was skipped; the first: {path} line 2: y is 'x'")


def test_skip_bad_skips_no_file_that_can_not_be_read(tmp_path):
    good, bad = write(tmp_path / "good.csv", GOOD), write(tmp_path / "bad.csv", "")
    assert refusal(good, bad, skip_bad=True) == f"{bad}: empty file"
