"""Back-adjusts closes for cash dividends, splits and bonus shares listed in a table."""

from __future__ import annotations

import csv
import dataclasses
import datetime
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.data.calendars import parse_day
from export.data.price_table import Prices
from export.errors import InputError
from lambda_fn.tables.price_rows import HIGHEST, LOWEST

COLUMNS = ("unique_id", "ds", "kind", "value")
KINDS = {
    "dividend": "cash per share, in the currency of the closes",
    "split": "shares after for each share before: 2 doubles them, 0.1 makes one of ten",
    "bonus": "new shares for each share held: 0.1 is 10%",
}


@dataclasses.dataclass(frozen=True)
class Action:
    """One corporate action of a series."""

    unique_id: str
    ds: datetime.date  # the ex-date: the first session without the right
    kind: str  # a key of KINDS
    value: float
    place: str  # where it is written, for messages

    def theoretical_price(self, price: float) -> float:
        """The theoretical price after the action of a share worth `price` before it, were nothing else to happen."""
        if self.kind == "dividend":
            return price - self.value
        return price / (self.value if self.kind == "split" else 1 + self.value)


@dataclasses.dataclass(frozen=True)
class Adjusted:
    """Adjusted closes, and which actions made them so."""

    prices: Prices
    applied: tuple[Action, ...]
    without_effect: tuple[Action, ...]  # of a series that is not there, or not within its dates


def read_actions(path: Path) -> list[Action]:
    """The actions of a CSV table `unique_id, ds, kind, value`, in any order; other columns are left unread.

    Raises `InputError` naming file, line, column and value.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)
            header = [name.strip().casefold() for name in next(rows, [])]
            if missing := [name for name in COLUMNS if name not in header]:
                raise InputError(f"{path}: there is no column {missing[0]!r}; the columns are {', '.join(COLUMNS)}")
            actions = [_action(header, row, f"{path} line {rows.line_num}") for row in rows if row]
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror})") from None
    except (UnicodeDecodeError, csv.Error):
        raise InputError(f"{path}: not a CSV table in UTF-8") from None
    seen: dict[tuple[object, ...], str] = {}
    for action in actions:
        key = dataclasses.astuple(action)[:-1]
        if key in seen:
            raise InputError(f"{action.place}: repeats {seen[key]}; two equal payments of one day are one row, summed")
        seen[key] = action.place
    return actions


def adjust(prices: Prices, actions: Sequence[Action]) -> Adjusted:
    """The closes that a holder would have needed, dividends reinvested: those before an ex-date times its factor.

    The factor is theoretical price / last close before the ex-date. For a dividend D that is 1 - D / close, for a
    split 1 / shares after; several of one day act in the order dividend, split, bonus, so D is per share held
    before (CRSP and Yahoo adjust so). Raises `InputError` for a dividend that is not below that close.
    """
    by_series: dict[str, list[Action]] = {}
    for action in sorted(actions, key=lambda action: (action.ds, list(KINDS).index(action.kind))):
        by_series.setdefault(action.unique_id, []).append(action)
    y = prices.y.copy()
    applied: list[Action] = []
    for position, unique_id in enumerate(prices.ids):
        if unique_id in by_series:
            rows = slice(int(prices.starts[position]), int(prices.starts[position + 1]))
            factors, effective = _factors(prices.ds[rows], prices.y[rows], by_series[unique_id])
            y[rows] *= factors
            applied += effective
            bad = np.flatnonzero(~((y[rows] >= float(LOWEST)) & (y[rows] <= float(HIGHEST))))
            if len(bad):
                raise InputError(
                    f"{effective[0].place}: the actions of {unique_id} make its close of {prices.ds[rows][bad[0]]} "
                    f"{y[rows][bad[0]]:.3g}, not a price between {LOWEST} and {HIGHEST}"
                )
    known = set(applied)
    without = [action for action in actions if action not in known]
    return Adjusted(dataclasses.replace(prices, y=y), tuple(applied), tuple(without))


def _factors(
    ds: NDArray[np.datetime64], y: NDArray[np.float64], actions: Sequence[Action]
) -> tuple[NDArray[np.float64], list[Action]]:
    """The factor of each row of one series (rows,), and the actions with an effect: not before the second row."""
    steps: NDArray[np.float64] = np.ones(len(y))  # what each row and all before it are multiplied by
    applied = []
    for action in actions:  # by date
        first_without = int(np.searchsorted(ds, np.datetime64(action.ds)))
        if not 0 < first_without < len(ds):
            continue
        last_with = first_without - 1
        before = float(y[last_with] * steps[last_with])
        after = action.theoretical_price(before)
        if after <= 0:
            raise InputError(
                f"{action.place}: a dividend of {action.value:g} on {action.ds} is not below the close "
                f"of {action.unique_id} before it, {before:g} on {ds[last_with]}"
            )
        with np.errstate(over="ignore"):  # what no price can be is told of the closes
            steps[last_with] *= after / before
        applied.append(action)
    with np.errstate(over="ignore"):
        return np.asarray(np.cumprod(steps[::-1])[::-1], dtype=np.float64), applied


def _action(header: Sequence[str], row: Sequence[str], place: str) -> Action:
    if len(row) != len(header):  # a decimal comma makes two fields of a value
        raise InputError(f"{place}: {len(row)} field{'s' * (len(row) != 1)} where the header has {len(header)}")
    unique_id, ds, kind, value = (row[header.index(name)].strip() for name in COLUMNS)
    if not unique_id:
        raise InputError(f"{place}: unique_id is empty")
    day = parse_day(ds)
    if day is None:
        raise InputError(f"{place}: ds is {ds!r}, not a calendar date (YYYY-MM-DD)")
    if kind.casefold() not in KINDS:
        raise InputError(f"{place}: kind is {kind!r}, not one of {', '.join(KINDS)}")
    try:
        number = float(value) if "_" not in value else math.nan
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise InputError(f"{place}: value is {value!r}, not a number above 0")
    return Action(unique_id, day, kind.casefold(), number, place)
