"""Back-adjustment: against cases worked by hand, and against Yahoo's own adjusted closes."""

import datetime
import os
from pathlib import Path

import numpy as np
import pytest

from export.data.b3.corporate_actions import Action, adjust, read_actions
from export.data.demo import demo_prices
from export.data.prices import make_prices, read_prices
from export.errors import InputError

HEADER = "unique_id,ds,kind,value\n"
DAYS = np.array(["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"], "datetime64[D]")


def action(ds: str, kind: str, value: float, unique_id: str = "A") -> Action:
    return Action(unique_id, datetime.date.fromisoformat(ds), kind, value, f"{ds} {kind} {value}")


def adjusted(closes, *actions) -> list[float]:
    prices = make_prices({"A": (DAYS, closes), "B": (DAYS, closes)})
    found = adjust(prices, actions).prices
    assert found.series("B")[1].tolist() == list(closes)  # another series is left as it is
    return found.series("A")[1].tolist()


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        ([("2024-01-04", "dividend", 2)], [9, 18, 19, 21]),  # 1 - 2 / 20 = 0.9
        ([("2024-01-04", "split", 2)], [5, 10, 19, 21]),
        ([("2024-01-04", "split", 0.1)], [100, 200, 19, 21]),  # ten to one
        ([("2024-01-04", "bonus", 0.25)], [8, 16, 19, 21]),  # 1 / 1.25
        ([("2024-01-04", "dividend", 1), ("2024-01-05", "split", 2)], [4.75, 9.5, 9.5, 21]),
        ([("2024-01-04", "dividend", 1), ("2024-01-04", "dividend", 3)], [8, 16, 19, 21]),  # summed: 1 - 4 / 20
        ([("2024-01-04", "split", 2), ("2024-01-04", "dividend", 2)], [4.5, 9, 19, 21]),  # D per share held before
        ([("2024-01-02", "dividend", 2)], [10, 20, 19, 21]),  # nothing before it
        ([("2024-01-06", "dividend", 2)], [10, 20, 19, 21]),  # not yet
    ],
)
def test_cases_worked_by_hand(actions, expected):
    np.testing.assert_allclose(adjusted([10.0, 20.0, 19.0, 21.0], *(action(*one) for one in actions)), expected)


def test_an_ex_date_without_a_trade_counts_from_the_next_one():
    prices = make_prices({"A": (DAYS[[0, 3]], [10.0, 9.0])})
    found = adjust(prices, [action("2024-01-03", "dividend", 1), action("2024-01-04", "split", 2)])
    np.testing.assert_allclose(found.prices.y, [4.5, 9.0])  # (10 - 1) / 2


def test_the_order_of_the_table_does_not_matter():
    actions = [
        action("2024-01-03", "dividend", 1),
        action("2024-01-05", "split", 3),
        action("2024-01-04", "bonus", 0.5),
    ]
    assert adjusted([10.0, 20.0, 19.0, 21.0], *actions) == adjusted([10.0, 20.0, 19.0, 21.0], *reversed(actions))


def test_returns_on_other_days_stay_as_they_were():
    """An adjustment changes the return of the ex-date and no other."""
    closes = np.array([10.0, 20.0, 19.0, 21.0])
    found = np.array(adjusted(closes, action("2024-01-04", "dividend", 2)))
    changed = ~np.isclose(found[1:] / found[:-1], closes[1:] / closes[:-1], rtol=1e-12)
    assert changed.tolist() == [False, True, False]


def test_a_dividend_as_large_as_the_close_is_refused():
    with pytest.raises(InputError, match="a dividend of 20 on 2024-01-04 is not below the close of A before it, 20 on"):
        adjusted([10.0, 20.0, 19.0, 21.0], action("2024-01-04", "dividend", 20))


@pytest.mark.parametrize("value", [1e-308, 1e300])
def test_actions_that_leave_no_price_are_refused(value):
    with pytest.raises(InputError, match="the actions of A make its close of 2024-01-02 .*, not a price between"):
        adjusted([10.0, 20.0, 19.0, 21.0], action("2024-01-04", "split", value))


def test_actions_without_effect_are_told_apart():
    prices = make_prices({"A": (DAYS, [10.0, 20.0, 19.0, 21.0])})
    late, other, good = (
        action("2025-01-04", "split", 2),
        action("2024-01-04", "split", 2, "C"),
        action("2024-01-04", "split", 2),
    )
    found = adjust(prices, [late, other, good])
    assert found.applied == (good,)
    assert found.without_effect == (late, other)


def raw_and_adjusted():
    """Closes as traded and as Yahoo adjusted them; without EFEMERA_DATA Google's, turned back at made-up ex-dates."""
    folder = os.environ.get("EFEMERA_DATA")
    if folder:
        file = Path(folder) / "PETR4.SA.yahoo.csv.gz"
        return tuple(read_prices([file], minimum=1, column=column) for column in ("Close", "Adj Close"))
    found = demo_prices(series=1).only(["GOOG"])
    factors = np.where(found.ds < found.ds[400], 0.97 * 0.5, np.where(found.ds < found.ds[700], 0.97, 1.0))
    return make_prices({"GOOG": (found.ds, found.y / factors)}), found


def test_factors_inferred_from_adjusted_closes_reproduce_them():
    """Yahoo prints six decimals: a step of the factor above 3e-6 is an ex-date, below it is rounding."""
    raw, yahoo = raw_and_adjusted()
    factor = yahoo.y / raw.y
    step = factor[:-1] / factor[1:]
    at = np.flatnonzero(np.abs(step - 1) > 3e-6)
    assert len(at) >= 2
    actions = [
        Action(raw.ids[0], raw.ds[row + 1].item(), "dividend", float((1 - step[row]) * raw.y[row]), str(row))
        for row in at
    ]
    found = adjust(raw, actions)
    assert len(found.applied) == len(at)
    np.testing.assert_allclose(found.prices.y, yahoo.y, rtol=2e-6)
    assert not np.allclose(raw.y, yahoo.y, rtol=0.1)


def test_a_table_is_read_with_its_places(tmp_path):
    path = tmp_path / "actions.csv"
    path.write_text("ds,kind,unique_id,note,value\n2024-01-04,Dividend, A ,x,1.5\n\n2024-01-05,split,B,,10\n")
    assert read_actions(path) == [
        Action("A", datetime.date(2024, 1, 4), "dividend", 1.5, f"{path} line 2"),
        Action("B", datetime.date(2024, 1, 5), "split", 10.0, f"{path} line 4"),
    ]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("unique_id,ds,value\nA,2024-01-04,1\n", ": there is no column 'kind'"),
        (HEADER + ",2024-01-04,split,2\n", " line 2: unique_id is empty"),
        (HEADER + "A,2024-13-04,split,2\n", " line 2: ds is '2024-13-04', not a calendar date"),
        (HEADER + "A,2024-01-04,divdend,2\n", " line 2: kind is 'divdend', not one of dividend, split, bonus"),
        (HEADER + "A,2024-01-04,split,2\nB,2024-01-04,split,zwei\n", " line 3: value is 'zwei', not a number above 0"),
        (HEADER + "A,2024-01-04,split,0\n", " line 2: value is '0', not a number above 0"),
        (HEADER + "A,2024-01-04,split,-2\n", " line 2: value is '-2', not a number above 0"),
        (HEADER + "A,2024-01-04,split,nan\n", " line 2: value is 'nan', not a number above 0"),
        (HEADER + "A,2024-01-04,split,1_0\n", " line 2: value is '1_0', not a number above 0"),
        (HEADER + "A,2024-01-04,split\n", " line 2: 3 fields where the header has 4"),
        (HEADER + "A,2024-01-04,dividend,1,55\n", " line 2: 5 fields where the header has 4"),  # a decimal comma
        (HEADER + "A,2024-W01-4,split,2\n", " line 2: ds is '2024-W01-4', not a calendar date (YYYY-MM-DD)"),
        (HEADER + "A,2024-01-04,split,2\n" * 2, " line 3: repeats "),
        ("", ": there is no column 'unique_id'"),
        ("\udcff", ": not a CSV table in UTF-8"),
    ],
)
def test_a_fault_in_the_table_is_named(tmp_path, rows, message):
    path = tmp_path / "actions.csv"
    path.write_bytes(rows.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError) as caught:
        read_actions(path)
    assert str(caught.value).startswith(f"{path}{message}")


def test_a_table_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="can't be read \\(No such file or directory\\)"):
        read_actions(tmp_path / "none.csv")
