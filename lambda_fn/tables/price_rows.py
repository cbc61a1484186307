"""The SQL that reads price files as typed rows, whatever their layout, each with its fault, if any, beside it.

Columns of the rows:

    unique_id VARCHAR  empty: a row that names no series
    ds DATE            NULL: no day
    y DOUBLE           NULL: no price, or a holiday's row
    holiday BOOLEAN    all prices of the row are null, as Yahoo writes a holiday
    fault STRUCT       (field, value, reason), all text, of the first thing wrong; NULL: nothing is
    volume DOUBLE      NULL: unknown, or not asked for
    raw_ds             the day as it stands in the file
    file VARCHAR       the last part of the file's path
    row BIGINT         where asked for: the line in a CSV, header = 1; the row of Parquet, first = 1
"""

from __future__ import annotations

import csv
import dataclasses
import re
from collections.abc import Sequence

import duckdb

from lambda_fn.model.limits import HIGHEST_PRICE, LOWEST_PRICE
from lambda_fn.tables.errors import InputRefused
from lambda_fn.tables.layouts import Columns, recognise
from lambda_fn.tables.price_files import PriceFile
from lambda_fn.tables.sql import path_literal, quote

LOWEST, HIGHEST = "1e-9", "1e12"  # LOWEST_PRICE and HIGHEST_PRICE, as messages write them
_PATH = "efemera_path"  # the column that tells the file of a row; one called filename may be the user's own

MACROS = r"""
    SET TimeZone = 'UTC';
    CREATE MACRO bare(cell) AS -- looking first makes a file of 5 million rows read in half the time
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
    CREATE MACRO is_null(cell) AS coalesce(lower(CAST(cell AS VARCHAR)), '') IN ('', 'null', 'nan');
    CREATE MACRO fault_of(field, value, reason) AS
        {'field': field, 'value': CAST(value AS VARCHAR), 'reason': reason};
"""
# The CSV reader gives lines and SQL splits them: the reader's own split would take 32,50 for a price of 32 where a
# decimal comma made one field two, and forgets the numbers of blank lines. The separator is one that no text holds.
_LINES = r"""
    read_csv([{paths}], columns = {{'line': 'VARCHAR'}}, delim = e'\x1c\x1d\x1e\x1f', quote = '', escape = '',
        header = false, skip = {skip}, auto_detect = false, strict_mode = false, compression = 'none',
        hive_partitioning = false, filename = '{path}')"""
_CSV_ROWS = """
    SELECT {cells}, width{row} FROM (
        SELECT {path}{row}, fields_of(line) AS fields, CASE WHEN is_torn(line) THEN 0 ELSE len(fields) END AS width
        FROM {lines} WHERE bare(line) <> '')"""
_TYPED = f"""
    SELECT unique_id, ds, y, holiday, volume, raw_ds, file{{row}}, CASE
        WHEN {{bad_width}} THEN fault_of('width', width, '')
        WHEN unique_id = '' THEN fault_of('unique_id', '', '')
        WHEN ds IS NULL THEN fault_of('ds', raw_ds, 'not a calendar date (YYYY-MM-DD)')
        WHEN holiday THEN NULL
        WHEN y IS NULL THEN fault_of('y', raw_y, CASE
            WHEN price IS NULL THEN 'not a price'
            WHEN NOT isfinite(price) THEN 'not a finite price'
            ELSE 'not a price between {LOWEST} and {HIGHEST}' END)
        WHEN {{bad_volume}} THEN fault_of('volume', raw_volume, 'not a volume')
        END AS fault
    FROM (
        SELECT *, {{unique_id}} AS unique_id, {{price}} AS price, {{volume}} AS volume,
            CASE WHEN {{day}} BETWEEN DATE '0001-01-01' AND DATE '9999-12-31' THEN {{day}} END AS ds,
            CASE WHEN price BETWEEN {LOWEST_PRICE} AND {HIGHEST_PRICE} THEN price END AS y
        FROM ({{rows}}))"""
# An empty or null volume is unknown.
_BAD_VOLUME = "(volume IS NULL OR volume < 0 OR NOT isfinite(volume)) AND NOT is_null(raw_volume)"

_INTEGER = r"U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)"
_NO_VALUE = '"NULL"'  # the type of a column without a value, as pandas writes an empty table
_ID_TYPES = rf"VARCHAR|{_INTEGER}|{_NO_VALUE}"
_NUMBER_TYPES = rf"{_INTEGER}|FLOAT|DOUBLE|DECIMAL\(.*\)|{_NO_VALUE}"
_DAY_BY_TYPE = {
    "DATE": "raw_ds",
    "TIMESTAMPTZ_NS": "day_of_moment(CAST(CAST(raw_ds AS TIMESTAMPTZ) AS TIMESTAMP))",
    "TIMESTAMP.*": "day_of_moment(CAST(raw_ds AS TIMESTAMP))",
    "VARCHAR": "day_of_text(bare(raw_ds))",
    _NO_VALUE: "CAST(raw_ds AS DATE)",
}

Types = tuple[str, ...]  # DuckDB's, of each column of a Parquet file; none of a CSV


def read_layout(
    database: duckdb.DuckDBPyConnection, file: PriceFile, column: str | None = None
) -> tuple[list[Columns], Types]:
    """The columns of each series, or of the whole table, and their types; `column` chooses between Yahoo's closes.

    Raises `InputRefused` where the layout is not known or the file can't be read.
    """
    if not file.is_parquet:
        return recognise([_split(line) for line in file.first_lines], str(file), column), ()
    try:
        described = database.execute(f"DESCRIBE SELECT * EXCLUDE ({_PATH}) FROM {parquet_table([file])}").fetchall()
    except duckdb.Error:
        raise InputRefused(f"{file}: the Parquet data is damaged") from None
    return recognise([[name for name, *_ in described]], str(file), column), tuple(kind for _, kind, *_ in described)


def typed_rows(
    files: Sequence[PriceFile], columns: Columns, types: Types, *,
    numbered: bool = False, with_volume: bool = False, clean_ids: bool = True,
) -> str:  # fmt: skip
    """The query of the rows of files that have these columns and types in common.

    `numbered` is for one file alone and costs its order. Unless `clean_ids`, ids of Parquet are taken as they stand,
    empty and spaced ones too, which leaves them in DuckDB's dictionary: a quarter of the time.
    Raises `InputRefused` naming a column whose type can hold no such thing.
    """
    if not with_volume:
        columns = dataclasses.replace(columns, volume=None)
    if types:
        _check_types(files[0], columns, types)
        row = ", row_number() OVER () AS row" if numbered else ""
        cells = _cells([quote(name, '"') for name in columns.header], columns)
        rows = f"SELECT {cells}, 0 AS width{row} FROM {parquet_table(files)}"
        day = next(day for kind, day in _DAY_BY_TYPE.items() if re.fullmatch(kind, types[columns.ds]))
        price, volume = "CAST(raw_y AS DOUBLE)", "CAST(raw_volume AS DOUBLE)"
    else:
        lines = _LINES.format(paths=_paths(files), skip=columns.header_rows, path=_PATH)
        if numbered:
            lines = f"(SELECT *, row_number() OVER () + {columns.header_rows} AS row FROM {lines})"
        fields = [f"bare(fields[{position}])" for position in range(1, len(columns.header) + 1)]
        rows = _CSV_ROWS.format(cells=_cells(fields, columns), row=", row" if numbered else "", path=_PATH, lines=lines)
        day, price, volume = "day_of_text(raw_ds)", "price_of_text(raw_y)", "price_of_text(raw_volume)"
    unique_id = "CAST(raw_id AS VARCHAR)"
    return _TYPED.format(
        row=", row" if numbered else "",
        unique_id=f"coalesce(bare({unique_id}), '')" if clean_ids or not types else unique_id,
        day=day,
        price=price,
        volume=volume if columns.volume is not None else "NULL",
        bad_width="false" if types else f"width <> {len(columns.header)}",
        bad_volume=_BAD_VOLUME if columns.volume is not None else "false",
        rows=rows,
    )


def parquet_table(files: Sequence[PriceFile]) -> str:
    """The expression that stands for Parquet files in a FROM clause."""
    return f"read_parquet([{_paths(files)}], hive_partitioning = false, filename = '{_PATH}')"


def explain_failure(database: duckdb.DuckDBPyConnection, files: Sequence[PriceFile]) -> InputRefused:
    """Find which of these files DuckDB can't read, and why, by looking, so that its own words never show."""
    for file in files:
        if file.is_parquet:
            query, reason = f"SELECT count(COLUMNS(*)) FROM {parquet_table([file])}", "the Parquet data is damaged"
        else:
            with file.path.open("rb") as lines:
                for number, line in enumerate(lines, start=1):
                    try:
                        line.decode("utf-8")
                    except UnicodeDecodeError:
                        return InputRefused(f"{file.place(number)}: not UTF-8 text; save the file as UTF-8")
            query = f"SELECT count(line) FROM {_LINES.format(paths=_paths([file]), skip=1, path=_PATH)}"
            reason = "can't be read as lines of comma-separated fields"
        try:
            database.execute(query).fetchall()
        except duckdb.Error:
            return InputRefused(f"{file}: {reason}")
    return InputRefused(f"{', '.join(map(str, files[:3]))}: can't be read")


def _check_types(file: PriceFile, columns: Columns, types: Types) -> None:
    for position, allowed, meaning in (
        (columns.unique_id, _ID_TYPES, "text"),
        (columns.ds, "|".join(_DAY_BY_TYPE), "dates"),
        (columns.y, _NUMBER_TYPES, "numbers"),
        (columns.volume, _NUMBER_TYPES, "numbers"),
    ):
        if position is not None and not re.fullmatch(allowed, types[position]):
            name, kind = columns.header[position], types[position].replace("VARCHAR", "text")
            raise InputRefused(f"{file}: column {name!r} is of type {kind}, but must hold {meaning}")


def _cells(cells: Sequence[str], columns: Columns) -> str:
    """The select list that `_TYPED` reads, from the expression of each cell."""
    file = f"parse_filename({_PATH}, false, 'forward_slash')"
    if columns.unique_id is not None:
        unique_id = cells[columns.unique_id]
    elif columns.name is not None:
        unique_id = quote(columns.name, "'")
    else:
        unique_id = rf"regexp_replace({file}, '(\.yahoo)?\.(csv|csv\.gz|parquet)$', '', 'i')"
    volume = "NULL" if columns.volume is None else cells[columns.volume]
    holiday = " AND ".join(f"is_null({cells[position]})" for position in columns.nulls) or "false"
    return (
        f"{unique_id} AS raw_id, {cells[columns.ds]} AS raw_ds, {cells[columns.y]} AS raw_y, "
        f"{volume} AS raw_volume, {holiday} AS holiday, {file} AS file"
    )


def _paths(files: Sequence[PriceFile]) -> str:
    return ", ".join(path_literal(file.path) for file in files)


def _split(line: str) -> list[str]:
    try:
        return next(csv.reader([line]), [])
    except csv.Error:  # a single field of more than 128 KiB: no header of ours
        return [line]
