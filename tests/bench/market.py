"""A year of B3 quotes and a made market: time and peak memory, against bare reads of the same bytes."""

from __future__ import annotations

import datetime
import gzip
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import duckdb
import pandas

from export.data.b3.cotahist import find_cotahist_files, read_cotahist
from export.data.b3.cotahist_sql import FIELDS
from lambda_fn.tables.sql import SETTINGS
from tests.bench.measure import in_turn, ratio, readable
from tests.export.data.b3.cotahist_records import HEADER, record, trailer

RECORDS = 2_000_000  # of a year, about
ONE_COLUMN = """read_csv('{path}', columns = {{'line': 'VARCHAR'}}, delim = e'\\x1c', quote = '', escape = '',
    header = false, auto_detect = false, strict_mode = false)"""
# What each process of its own does, so that its peak memory is its own.
OURS = "from pathlib import Path; from export.data.b3.cotahist import read_cotahist; read_cotahist([Path({path!r})])"
BARE = "import duckdb; duckdb.execute('''SELECT count(line) FROM {read}''').fetchall()"
PEAK = "; print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"  # since its own start, in KiB
SAMPLE = (10_000, 1_500)


def rows(scratch: Path) -> list[tuple[str, ...]]:
    """One row: the task, its figure, the floor, its figure, the ratio and the aim."""
    year = scratch / "COTAHIST_A2024.TXT"
    records = _write_year(year)
    _pack(year)
    times = in_turn(
        {
            "ours": lambda: read_cotahist([year]),
            "bare": lambda: _bare(year, "SELECT count(line) FROM {read}"),
            "load": lambda: _bare(year, "CREATE TABLE lines AS SELECT line FROM {read}"),
        },
        rounds=7,
        warmup=1,
    )
    middle = {name: sorted(seconds)[len(seconds) // 2] for name, seconds in times.items()}
    peak, bare_peak = _peak(OURS.format(path=str(year))), _peak(BARE.format(read=ONE_COLUMN.format(path=year)))
    pandas_seconds = _once(lambda: _pandas(year))
    zipped = _once(lambda: read_cotahist(find_cotahist_files([year.with_suffix(".ZIP")])))
    made = _once(lambda: _sample(scratch / "sample.parquet"))
    size = f"{year.stat().st_size / 1e6:.0f} MB"
    return [
        (
            f"B3 year, {records:,} records",
            readable(middle["ours"]),
            f"DuckDB's bare read_csv, {size} as one column, counted",
            readable(middle["bare"]),
            f"{ratio(times, 'ours', 'bare'):.2f} ×",
            "≤ 1.6 ×",
        ),
        (
            "likewise",
            "",
            "likewise, into a table",
            readable(middle["load"]),
            f"{ratio(times, 'ours', 'load'):.2f} ×",
            "",
        ),
        (
            "likewise, peak memory",
            f"{peak:.0f} MB",
            "bare, counted",
            f"{bare_peak:.0f} MB",
            f"{peak / bare_peak:.2f} ×",
            "",
        ),
        (
            "likewise",
            "",
            "pandas.read_fwf, six of its fields",
            readable(pandas_seconds),
            f"{middle['ours'] / pandas_seconds:.2f} ×",
            "",
        ),
        (
            "B3 year from its ZIP",
            readable(zipped),
            "from its text",
            readable(middle["ours"]),
            f"{zipped / middle['ours']:.2f} ×",
            "",
        ),
        ("sample, {:,} × {:,}".format(*SAMPLE), readable(made), "", "", "", "≤ 20 s"),
    ]


def _write_year(path: Path) -> int:
    """The real session of 2024-11-08 on as many weekdays as it takes; without EFEMERA_DATA a made one of its shape."""
    quotes = _session()
    day, lines = datetime.date(2024, 1, 2), 2
    with path.open("wb") as file:
        file.write(HEADER.encode() + b"\n")
        while lines < RECORDS:
            if day.weekday() < 5:
                file.write(quotes.replace(b"0120241108", f"01{day:%Y%m%d}".encode()))
                lines += quotes.count(b"\n")
            day += datetime.timedelta(days=1)
        file.write(trailer(lines).encode() + b"\n")
    return lines


def _session() -> bytes:
    folder = os.environ.get("EFEMERA_DATA")
    if folder:
        text = gzip.decompress((Path(folder) / "COTAHIST_D08112024.TXT.gz").read_bytes())
        return b"".join(text.splitlines(keepends=True)[1:-1])
    shares = [record(f"S{number:04}", 1000 + number) for number in range(331)]
    options = [record(f"O{number:05}", 50, market="070", bdi="78") for number in range(11_895)]
    return "".join(line + "\n" for line in shares + options).encode()


def _pack(path: Path) -> None:
    with zipfile.ZipFile(path.with_suffix(".ZIP"), "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.write(path, path.name)


def _bare(path: Path, query: str) -> None:
    with duckdb.connect(":memory:", config=SETTINGS) as database:
        database.execute(query.format(read=ONE_COLUMN.format(path=path))).fetchall()


def _pandas(path: Path) -> pandas.DataFrame:
    """The fields that Efemera reads, as a script would read them."""
    fields = {name: FIELDS[name] for name in ("DATE", "CODBDI", "CODNEG", "TPMERC", "PREULT", "FATCOT")}
    table = pandas.read_fwf(
        path,
        colspecs=[(first - 1, last) for first, last in fields.values()],
        names=list(fields),
        header=None,
        dtype=str,
        encoding="latin-1",
    )
    return table[(table["TPMERC"] == "010") & (table["CODBDI"] == "02")]


def _peak(code: str) -> float:
    """Megabytes at most, of a process that runs this."""
    done = subprocess.run([sys.executable, "-c", code + PEAK], capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024


def _sample(path: Path) -> None:
    series, days = map(str, SAMPLE)
    command = [sys.executable, "-m", "export", "data", "sample", "--series", series, "--days", days, "--out", str(path)]
    subprocess.run(command, capture_output=True, check=True)


def _once(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started
