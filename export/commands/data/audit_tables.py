"""Print an audit: a count of each kind, the longest findings of each, and one line of verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from rich import box
from rich.table import Table
from rich.text import Text

from export.data.audit.audit import Audit
from export.data.audit.findings import KINDS, Finding
from export.screen import out as screen

LINES = 40  # of findings on screen, unless all are asked for

_WHY_UNCHECKED = {
    "missing-session": "no --calendar",
    "closed-day": "no --calendar",
    "zero-volume": "no volume is known",
    "ended-early": "no other series",
}


def show(audit: Audit, *, show_all: bool) -> None:
    """The whole report."""
    counts = audit.counts()
    screen.print(_about(audit))
    screen.print()
    screen.print(_counts_table(counts))
    for why in dict.fromkeys(_WHY_UNCHECKED.values()):
        kinds = [kind for kind in KINDS if not counts[kind]["checked"] and _WHY_UNCHECKED.get(kind) == why]
        if kinds:
            screen.print(f"not checked: {', '.join(kinds)} ({why})", style="dim")
    if audit.findings:
        screen.print()
        by_kind = {kind: [finding for finding in audit.findings if finding.kind == kind] for kind in KINDS}
        lines = {kind: len(findings) for kind, findings in by_kind.items()}
        for kind, most in (lines if show_all else _allotted(lines)).items():
            by_kind[kind] = sorted(by_kind[kind], key=lambda finding: -finding.count)[:most]
        screen.print(_findings_table(by_kind, counts), soft_wrap=False)
    screen.print()
    screen.print(verdict(audit), style="yellow" if audit.findings else "green")


def verdict(audit: Audit) -> str:
    """The result in one line."""
    series = len(audit.raw.prices.ids)
    if not audit.findings:
        return f"nothing found in {_number(series, 'series')}"
    concerned = len({finding.unique_id for finding in audit.findings})
    return f"{_number(len(audit.findings), 'finding')} in {concerned:,} of {_number(series, 'series')}"


def _about(audit: Audit) -> str:
    prices = audit.raw.prices
    calendars = Counter(name or "none" for name in audit.calendars)
    named = ", ".join(f"{name} for {count:,}" for name, count in sorted(calendars.items()))
    return (
        f"{_number(len(prices.ids), 'series')}, {len(prices):,} rows, {prices.ds.min()} to {prices.ds.max()}; "
        f"calendar: {named if set(calendars) != {'none'} else 'none'}"
    )


def _counts_table(counts: Mapping[str, Mapping[str, int]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in ("kind", "checked", "series", "findings", "days"):
        table.add_column(name, justify="left" if name == "kind" else "right", no_wrap=True)
    for kind, count in counts.items():
        figures = (f"{figure:,}" for figure in count.values()) if count["checked"] else ("–",)
        table.add_row(kind, *figures, style=None if count["days"] else "dim")
    return table


def _findings_table(by_kind: Mapping[str, list[Finding]], counts: Mapping[str, Mapping[str, int]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("kind", no_wrap=True)
    table.add_column("series", overflow="fold")
    table.add_column("first", no_wrap=True)
    table.add_column("last", no_wrap=True)
    table.add_column("days", justify="right", no_wrap=True)
    table.add_column("detail", overflow="fold", ratio=1)
    for kind, findings in by_kind.items():
        if not findings:
            continue
        for number, finding in enumerate(findings):
            last = "" if finding.last == finding.first else str(finding.last)
            label = "" if number else kind
            table.add_row(
                label, Text(finding.unique_id), str(finding.first), last, f"{finding.count:,}", Text(finding.detail)
            )
        if left_off := counts[kind]["findings"] - len(findings):
            table.add_row("", "", "", "", "", f"{left_off:,} more: --all", style="dim")
        table.add_section()
    return table


def _allotted(wanted: Mapping[str, int]) -> dict[str, int]:
    """Count the lines of each kind: an equal share of LINES, and what others leave of theirs."""
    allotted = dict.fromkeys(wanted, 0)
    left = LINES
    while left and (hungry := [kind for kind in wanted if allotted[kind] < wanted[kind]]):
        for kind in hungry[:left]:
            allotted[kind] += 1
        left -= min(left, len(hungry))
    return allotted


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1 and noun != 'series')}"
