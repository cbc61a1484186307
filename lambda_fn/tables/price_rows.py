"""The SQL that reads the price files of a batch run as rows `unique_id, ds, y, fault`, whatever their layout.

A row that is wrong stays: its y is NaN, or its ds NULL, and `fault` says in words what it is, kind first
(`bad price: y 'abc' on 2026-11-03 in b3.csv is …`). So one bad row costs one series its forecast, and no one else.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence

import duckdb

from lambda_fn.model.limits import HIGHEST_PRICE, LOWEST_PRICE
from lambda_fn.tables.layouts import recognise
from lambda_fn.tables.price_files import InputFile, InputRefused
from lambda_fn.tables.sql import path_literal, quote

NO_NAME = "(no unique_id)"  # stands for the series of rows that name none

_PATH = "efemera_path"  # the column that tells the file of a row; one called filename may be the user's own

MACROS = r"""
    SET TimeZone = 'UTC';
    CREATE MACRO bare(cell) AS
        CASE WHEN contains(cell, ' ') OR contains(cell, e'\t') THEN trim(cell, e' \t') ELSE cell END;
    CREATE MACRO unquoted(cell) AS CASE WHEN cell LIKE '"%"' THEN replace(cell[2:-2], '""', '"') ELSE cell END;
    CREATE MACRO fields_of(line) AS
        CASE WHEN contains(line, '"')
            THEN list_transform(
                regexp_extract_all(line || ',', '("(?:[^"]|"")*"|[^,]*),', 1), lambda field: unquoted(field))
            ELSE string_split(line, ',') END;
    CREATE MACRO is_torn(line) AS -- a cell in quotes went on in another line
        contains(line, '"') AND (len(line) - len(replace(line, '"', ''))) % 2 = 1;
    CREATE MACRO day_of_text(cell) AS
        CASE WHEN regexp_full_match(cell,
            '\d{4}-\d{2}-\d{2}([T ]00:00(:00(\.0+)?)? ?(Z|UTC|[+-]\d{2}(:?\d{2})?)?)?')
        THEN TRY_CAST(cell[:10] AS DATE) END;
    CREATE MACRO day_of_moment(cell) AS CASE WHEN cell = date_trunc('day', cell) THEN CAST(cell AS DATE) END;
    CREATE MACRO price_of_text(cell) AS
        CASE WHEN NOT contains(cell, '_') THEN TRY_CAST(cell AS DOUBLE) END; -- 1_000 would be read as 1000
    CREATE MACRO shown(cell) AS '''' || coalesce(left(CAST(cell AS VARCHAR), 40), '') || '''';
"""
# The CSV reader gives lines and SQL splits them: the reader's own split would take 32,50 for a price of 32 where a
# decimal comma made one field two. The separator is one that no text holds.
_LINES = r"""
    SELECT {cells}, width FROM (
        SELECT {path}, fields_of(line) AS fields, CASE WHEN is_torn(line) THEN 0 ELSE len(fields) END AS width
        FROM read_csv([{paths}], columns = {{'line': 'VARCHAR'}}, delim = e'\x1c\x1d\x1e\x1f', quote = '', escape = '',
            header = false, skip = 1, auto_detect = false, strict_mode = false, compression = 'none',
            hive_partitioning = false, filename = '{path}')
        WHERE bare(line) <> '')"""
_TYPED = f"""
    SELECT {{unique_id}} AS unique_id,
        CASE WHEN {{day}} BETWEEN DATE '0001-01-01' AND DATE '9999-12-31' THEN {{day}} END AS ds,
        CASE WHEN {{price}} BETWEEN {LOWEST_PRICE} AND {HIGHEST_PRICE}
            AND width = {{width}} AND unique_id <> '{NO_NAME}' THEN {{price}} ELSE 'NaN' END AS y,
        CASE WHEN ds IS NOT NULL AND NOT isnan(y) THEN NULL
            WHEN width <> {{width}} THEN
                'bad row: ' || width || ' fields where the header has {{width}}, ds ' || shown(raw_ds) || ' in ' || file
            WHEN ds IS NULL THEN 'bad date: ds ' || shown(raw_ds) || ' in ' || file || ' is no day (YYYY-MM-DD)'
            WHEN unique_id = '{NO_NAME}' THEN 'no name: a row of ' || ds || ' in ' || file || ' has no unique_id'
            ELSE 'bad price: y ' || shown(raw_y) || ' on ' || ds || ' in ' || file
                || ' is no price between 1e-9 and 1e12'
            END AS fault
    FROM ({{rows}}) WHERE NOT holiday"""

# Costs every row its place in a dictionary of ids, a quarter of the time of a plan; so only where an id needs it.
_CLEANED = f"coalesce(nullif(bare(CAST(raw_id AS VARCHAR)), ''), '{NO_NAME}')"
NEEDS_CLEANING = "unique_id IS NULL OR unique_id = '' OR bare(unique_id) <> unique_id"

_INTEGER = r"U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)"
_NO_VALUE = '"NULL"'  # the type of a column without a value, as pandas writes an empty table
_ID_TYPES = rf"VARCHAR|{_INTEGER}|{_NO_VALUE}"
_PRICE_TYPES = rf"{_INTEGER}|FLOAT|DOUBLE|DECIMAL\(.*\)|{_NO_VALUE}"
_DAY_BY_TYPE = {
    "DATE": "raw_ds",
    "TIMESTAMPTZ_NS": "day_of_moment(CAST(CAST(raw_ds AS TIMESTAMPTZ) AS TIMESTAMP))",
    "TIMESTAMP.*": "day_of_moment(CAST(raw_ds AS TIMESTAMP))",
    "VARCHAR": "day_of_text(bare(raw_ds))",
    _NO_VALUE: "CAST(raw_ds AS DATE)",
}


def csv_rows(files: Sequence[InputFile]) -> str:
    """The query of the rows of CSV files that have one header in common."""
    try:
        header = tuple(next(csv.reader([files[0].header]), []))
    except csv.Error as error:
        raise InputRefused(f"{files[0].name} line 1: no header ({error})") from None
    unique_id, ds, y, prices = recognise(header, files[0].name)
    fields = [f"bare(fields[{position}])" for position in range(1, len(header) + 1)]
    cells, paths = _cells(fields, unique_id, ds, y, prices), ", ".join(path_literal(file.path) for file in files)
    return _typed(
        _LINES.format(cells=cells, paths=paths, path=_PATH),
        _CLEANED,
        "day_of_text(raw_ds)",
        "price_of_text(raw_y)",
        width=len(header),
    )


def parquet_rows(files: Sequence[InputFile], columns: Sequence[tuple[str, str]], cleaned: bool) -> str:
    """The query of the rows of Parquet files that have these columns, by name and type, in common.

    Unless `cleaned`, ids are taken as they stand; `NEEDS_CLEANING` tells whether any should not have been.
    """
    header = tuple(name for name, _ in columns)
    unique_id, ds, y, prices = recognise(header, files[0].name)
    types = [kind for _, kind in columns]
    wanted = ((ds, "|".join(_DAY_BY_TYPE), "dates"), (y, _PRICE_TYPES, "numbers"))
    for position, allowed, meaning in (*wanted, *([] if unique_id is None else [(unique_id, _ID_TYPES, "text")])):
        if not re.fullmatch(allowed, types[position]):
            raise InputRefused(
                f"{files[0].name}: column {header[position]!r} is of type {types[position]}, but must hold {meaning}"
            )
    cells = [quote(name, '"') for name in header]
    paths = ", ".join(path_literal(file.path) for file in files)
    rows = (
        f"SELECT {_cells(cells, unique_id, ds, y, prices)}, 0 AS width "
        f"FROM read_parquet([{paths}], hive_partitioning = false, filename = '{_PATH}')"
    )
    day = next(day for kind, day in _DAY_BY_TYPE.items() if re.fullmatch(kind, types[ds]))
    own = _CLEANED if cleaned else "CAST(raw_id AS VARCHAR)"
    return _typed(rows, own, day, "CAST(raw_y AS DOUBLE)", width=0)


def parquet_columns(database: duckdb.DuckDBPyConnection, file: InputFile) -> tuple[tuple[str, str], ...]:
    """Name and type of each column; raises `InputRefused` where the file can't be read."""
    try:
        table = f"read_parquet({path_literal(file.path)}, hive_partitioning = false)"
        return tuple((name, kind) for name, kind, *_ in database.execute(f"DESCRIBE SELECT * FROM {table}").fetchall())
    except duckdb.Error:
        raise InputRefused(f"{file.name}: the Parquet data is damaged") from None


def explain(database: duckdb.DuckDBPyConnection, files: Sequence[InputFile]) -> InputRefused:
    """Which of these files DuckDB can't read, and why: found by looking, so that its own words never show."""
    for file in files:
        if file.ending == ".parquet":
            query = f"SELECT count(COLUMNS(*)) FROM read_parquet({path_literal(file.path)}, hive_partitioning = false)"
        else:
            with file.path.open("rb") as lines:
                for number, line in enumerate(lines, start=1):
                    try:
                        line.decode("utf-8")
                    except UnicodeDecodeError:
                        return InputRefused(f"{file.name} line {number}: not UTF-8 text; save the file as UTF-8")
            query = f"SELECT count(*) FROM ({csv_rows([file])})"
        try:
            database.execute(query).fetchall()
        except duckdb.Error:
            what = "the Parquet data is damaged" if file.ending == ".parquet" else "not lines of comma-separated fields"
            return InputRefused(f"{file.name}: {what}")
    return InputRefused(f"{', '.join(file.name for file in files[:3])}: can't be read")


def _cells(cells: Sequence[str], unique_id: int | None, ds: int, y: int, prices: Sequence[int]) -> str:
    """The select list that `_TYPED` reads, from the expression of each cell."""
    own_name = rf"regexp_replace(parse_filename({_PATH}), '(\.yahoo)?\.(csv|csv\.gz|parquet)$', '', 'i')"
    name = own_name if unique_id is None else cells[unique_id]
    nulls = [f"coalesce(lower(CAST({cells[place]} AS VARCHAR)), '') IN ('', 'null', 'nan')" for place in prices]
    return (
        f"{name} AS raw_id, {cells[ds]} AS raw_ds, {cells[y]} AS raw_y, {' AND '.join(nulls) or 'false'} AS holiday, "
        f"parse_filename({_PATH}) AS file"
    )


def _typed(rows: str, unique_id: str, day: str, price: str, width: int) -> str:
    return _TYPED.format(unique_id=unique_id, day=day, price=price, width=width, rows=rows)
