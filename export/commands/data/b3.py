"""`efemera data b3`: B3's COTAHIST files into one table of closes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from export.commands.options import JsonOption, TableOption
from export.errors import InputError
from export.screen import print_json, progress_bar, say, say_notes

if TYPE_CHECKING:
    from export.data.b3.corporate_actions import Action
    from export.data.b3.cotahist import Event, Quotes
    from export.data.price_table import Prices


def b3(
    files: Annotated[
        list[str],
        typer.Argument(help="COTAHIST files (.TXT, .ZIP, .gz), folders or s3:// addresses of them.", metavar="FILES"),
    ],
    out: TableOption,
    tickers: Annotated[
        list[str] | None, typer.Option("--ticker", "-t", help="Only this paper (CODNEG). Repeatable.", metavar="PETR4")
    ] = None,
    etf: Annotated[bool, typer.Option("--etf", help="ETFs as well: BDI code 14 beside 02.")] = False,
    bdi: Annotated[
        list[str] | None,
        typer.Option(help="BDI code (CODBDI), two digits, instead of 02, round lots. Repeatable.", show_default=False),
    ] = None,
    market: Annotated[
        list[str] | None,
        typer.Option(help="Market (TPMERC), three digits, instead of 010, cash. Repeatable.", show_default=False),
    ] = None,
    adjust: Annotated[
        str | None,
        typer.Option(help="CSV of corporate actions: unique_id, ds, kind (dividend, split, bonus), value."),
    ] = None,
    volume: Annotated[
        bool, typer.Option("--volume", help="Keep a fourth column, the shares traded (QUATOT), never adjusted.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Read B3's quotes (COTAHIST: annual, monthly or daily) into a table of closes.

    Example: `efemera data b3 COTAHIST_A2024.ZIP --out b3.parquet`

    Two papers, adjusted: `efemera data b3 COTAHIST_A*.ZIP -t PETR4 -t VALE3 --adjust actions.csv --out b3.csv`

    COTAHIST is unadjusted: without `--adjust` every suspected ex-date and split is named. In `actions.csv` a
    dividend is cash per share, a split the shares after for each one before (10; a reverse split 0.1), a bonus the
    new shares for each one held (0.1 for 10%); ds is the ex-date. A .ZIP or .gz that unpacks to more than 8 GiB, or to
    100 times its size, is refused.
    """
    from export.data.b3.corporate_actions import adjust as back_adjust
    from export.data.b3.corporate_actions import read_actions
    from export.data.b3.cotahist import ENDINGS
    from export.data.b3.s3_copies import local_files
    from export.data.destination import check_destination, write_prices
    from export.data.price_jumps import suspected_splits

    check_destination(out)
    markets, bdi_codes = _codes(market, "--market", "010", 3), _codes(bdi, "--bdi", "02", 2)
    if etf:
        bdi_codes = list(dict.fromkeys([*bdi_codes, "14"]))
    if adjust and (adjust == out or Path(adjust).resolve() == Path(out).resolve()):
        raise InputError(f"--out {out}: is the table that --adjust reads")
    with local_files([adjust] if adjust else [], (".csv",)) as tables:
        actions = [action for table in tables.paths for action in read_actions(table)]
    with local_files(files, ENDINGS, on_object=lambda place: say(f"fetching {place}")) as local:
        quotes = _read(local.paths, markets, bdi_codes, [ticker.strip().upper() for ticker in tickers or ()])
        adjusted = back_adjust(quotes.prices, actions)
        prices = adjusted.prices
        events = [event for event in quotes.events if not _is_explained(event, adjusted.applied)]
        splits = suspected_splits(prices.ids, prices.starts, prices.ds, prices.y)
        write_prices(prices, out, quotes.volume if volume else None)
        sources = [local.as_named(source) for source in prices.sources]
    if json:
        print_json(_summary(out, prices, sources, events, splits, adjusted.applied, adjusted.without_effect))
        return
    say_notes(prices.notes)
    say_notes(tuple(_ex_date_lines(events)) + tuple(splits))
    if adjust:
        say(f"{adjust}: applied {len(adjusted.applied)} of {len(actions)} corporate actions", "yellow")
        for action in adjusted.without_effect[:3]:
            say(
                f"{action.place}: without effect, {action.unique_id} has no close on both sides of {action.ds}",
                "yellow",
            )
    elif events:
        say(
            f"{len(events)} suspected ex-dates; these closes are unadjusted, and --adjust takes a table of them",
            "yellow",
        )
    say(f"wrote {out}: {len(prices.ids)} series, {len(prices):,} closes, {prices.ds.min()} to {prices.ds.max()}")


def _read(paths: Sequence[Path], markets: list[str], bdi_codes: list[str], tickers: list[str]) -> Quotes:
    from export.data.b3.cotahist import find_cotahist_files, read_cotahist

    files = find_cotahist_files(paths)
    with progress_bar() as bar:
        task = bar.add_task("", total=len(files))
        return read_cotahist(
            files,
            markets=markets,
            bdi_codes=bdi_codes,
            tickers=tickers,
            on_file=lambda number: bar.update(task, completed=number, description=files[number].name),
        )


def _codes(given: list[str] | None, flag: str, default: str, digits: int) -> list[str]:
    for code in given or ():
        if not re.fullmatch(rf"[0-9]{{{digits}}}", code):
            raise InputError(f"{flag}: {code!r} is not a code of {digits} digits, such as {default}")
    return list(dict.fromkeys(given or [default]))


def _is_explained(event: Event, actions: Sequence[Action]) -> bool:
    """Return whether an action of the series falls between the session before and this one."""
    return any(action.unique_id == event.unique_id and event.previous_ds < action.ds <= event.ds for action in actions)


def _ex_date_lines(events: Sequence[Event]) -> list[str]:
    """One warning a series, naming each of its dates."""
    dates: dict[str, list[str]] = {}
    for event in events:
        dates.setdefault(event.unique_id, []).append(f"{event.ds} ({event.reason})")
    return [
        f"warning: {unique_id}: suspected ex-date{'s' * (len(days) > 1)}, not adjusted: {', '.join(days)}"
        for unique_id, days in dates.items()
    ]


def _summary(
    out: str,
    prices: Prices,
    sources: list[str],
    events: Sequence[Event],
    splits: Sequence[str],
    applied: Sequence[Action],
    without_effect: Sequence[Action],
) -> dict[str, Any]:
    return {
        "out": out,
        "sources": sources,
        "series": len(prices.ids),
        "rows": len(prices),
        "first": str(prices.ds.min()),
        "last": str(prices.ds.max()),
        "suspected_ex_dates": [
            {"unique_id": event.unique_id, "ds": str(event.ds), "reason": event.reason} for event in events
        ],
        "suspected_splits": list(splits),
        "adjusted": len(applied),
        "without_effect": [action.place for action in without_effect],
        "notes": list(prices.notes),
    }
