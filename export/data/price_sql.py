"""The SQL that turns one price file into typed rows, each with its fault, if any, beside it."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from export.data.price_columns import PriceColumns
from export.data.price_files import PriceFile
from export.errors import InputError

SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "temp_directory": "",  # never write a file
    "autoinstall_known_extensions": False,  # never use the network
    "autoload_known_extensions": False,
}
LOWEST_PRICE, HIGHEST_PRICE = "1e-9", "1e12"  # what POST /predict accepts as well

PREPARE = r"""
    SET TimeZone = 'UTC';
    CREATE TABLE closes ( -- y and fault both NULL: a holiday of Yahoo's
        file INTEGER, row BIGINT, unique_id VARCHAR, ds DATE, y DOUBLE,
        fault STRUCT(field VARCHAR, value VARCHAR, reason VARCHAR),
        volume DOUBLE); -- NULL: unknown, or not asked for
    CREATE MACRO bare(cell) AS -- looking first makes a file of 5 million rows read in half the time
        CASE WHEN contains(cell, ' ') OR contains(cell, e'\t') THEN trim(cell, e' \t') ELSE cell END;
    CREATE MACRO unquoted(cell) AS
        CASE WHEN cell LIKE '"%"' THEN replace(cell[2:-2], '""', '"') ELSE cell END;
    CREATE MACRO fields_of(line) AS
        CASE WHEN contains(line, '"')
            THEN list_transform(
                regexp_extract_all(line || ',', '("(?:[^"]|"")*"|[^,]*),', 1), lambda field: unquoted(field))
            ELSE string_split(line, ',') END;
    CREATE MACRO day_of_text(cell) AS
        CASE WHEN regexp_full_match(cell,
            '\d{4}-\d{2}-\d{2}([T ]00:00(:00(\.0+)?)? ?(Z|UTC|[+-]\d{2}(:?\d{2})?)?)?')
        THEN TRY_CAST(cell[:10] AS DATE) END;
    CREATE MACRO day_of_moment(cell) AS
        CASE WHEN cell = date_trunc('day', cell) THEN CAST(cell AS DATE) END;
    CREATE MACRO price_of_text(cell) AS
        CASE WHEN NOT contains(cell, '_') THEN TRY_CAST(cell AS DOUBLE) END; -- 1_000 would be read as 1000
    CREATE MACRO is_null(cell) AS coalesce(lower(CAST(cell AS VARCHAR)), '') IN ('', 'null', 'nan');
    CREATE MACRO fault_of(field, value, reason) AS
        {'field': field, 'value': CAST(value AS VARCHAR), 'reason': reason};
"""
_INSERT = f"""
    INSERT INTO closes
    SELECT {{number}}, row, unique_id, ds, y, CASE
        WHEN width <> {{width}} THEN fault_of('width', width, '')
        WHEN unique_id = '' THEN fault_of('unique_id', '', '')
        WHEN regexp_matches(unique_id, '[[:cntrl:]]')
            THEN fault_of('unique_id', unique_id, 'not a name on one line')
        WHEN ds IS NULL OR ds NOT BETWEEN DATE '0001-01-01' AND DATE '9999-12-31'
            THEN fault_of('ds', raw_ds, 'not a calendar date (YYYY-MM-DD)')
        WHEN holiday THEN NULL
        WHEN y IS NULL THEN fault_of('y', raw_y, 'not a price')
        WHEN NOT isfinite(y) THEN fault_of('y', raw_y, 'not a finite price')
        WHEN y NOT BETWEEN {LOWEST_PRICE} AND {HIGHEST_PRICE}
            THEN fault_of('y', raw_y, 'not a price between {LOWEST_PRICE} and {HIGHEST_PRICE}')
        WHEN {{bad_volume}} THEN fault_of('volume', raw_volume, 'not a volume')
        END, volume
    FROM (
        SELECT *, coalesce(bare(CAST(raw_id AS VARCHAR)), '') AS unique_id,
            {{day}} AS ds, CASE WHEN NOT holiday THEN {{price}} END AS y, {{volume}} AS volume
        FROM ({{rows}}))"""
# DuckDB's reader gives lines and SQL splits them: the reader's own split forgets the numbers of blank and
# ragged lines and stops at the first fault. The separator is one that no text holds.
_CSV_ROWS = r"""
    SELECT row, {cells}
    FROM (SELECT row, fields_of(line) AS fields
        FROM (SELECT row_number() OVER () AS row, line
            FROM read_csv({path}, columns = {{'line': 'VARCHAR'}}, delim = e'\x1c\x1d\x1e\x1f', quote = '',
                escape = '', header = false, auto_detect = false, strict_mode = false,
                compression = '{compression}'))
        WHERE row > {header_rows} AND bare(line) <> '')"""

# An empty or null volume is unknown, as is one that nobody asked for: `columns.volume` is None then.
_BAD_VOLUME = "(volume IS NULL OR volume < 0 OR NOT isfinite(volume)) AND NOT is_null(raw_volume)"

_INTEGER = r"U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)"
_ID_TYPES = rf"VARCHAR|{_INTEGER}"
_PRICE_TYPES = rf"{_INTEGER}|FLOAT|DOUBLE|DECIMAL\(.*\)"
_DAY_BY_TYPE = {
    "DATE": "raw_ds",
    "TIMESTAMP.*": "day_of_moment(CAST(raw_ds AS TIMESTAMP))",
    "VARCHAR": "day_of_text(bare(raw_ds))",
}


def insert_csv(number: int, file: PriceFile, columns: PriceColumns) -> str:
    """The statement that adds a CSV to `closes` as file `number`."""
    fields = [f"bare(fields[{position}])" for position in range(1, len(columns.header) + 1)]
    rows = _CSV_ROWS.format(
        cells=_cells(file, columns, fields, width="len(fields)"),
        path=_path(file),
        header_rows=columns.header_rows,
        compression="gzip" if file.ending == ".csv.gz" else "none",
    )
    day, price = "day_of_text(raw_ds)", "price_of_text(raw_y)"
    return _insert(number, columns, day=day, price=price, volume="price_of_text(raw_volume)", rows=rows)


def insert_parquet(number: int, file: PriceFile, columns: PriceColumns, types: Sequence[str]) -> str:
    """The statement that adds a Parquet table to `closes` as file `number`.

    `types` are DuckDB's, one for each column. Raises `InputError` naming a column of another type.
    """
    for position, allowed, meaning in (
        (columns.unique_id, _ID_TYPES, "text"),
        (columns.ds, "|".join(_DAY_BY_TYPE), "dates"),
        (columns.y, _PRICE_TYPES, "numbers"),
        (columns.volume, _PRICE_TYPES, "numbers"),
    ):
        if position is not None and not re.fullmatch(allowed, types[position]):
            name = columns.header[position]
            kind = types[position].replace("VARCHAR", "text")
            raise InputError(f"{file}: column {name!r} is of type {kind}, but must hold {meaning}")
    width = len(columns.header)
    cells = _cells(file, columns, [quote(name, '"') for name in columns.header], width=str(width))
    rows = f"SELECT row_number() OVER () AS row, {cells} FROM {parquet_table(file)}"
    day = next(day for kind, day in _DAY_BY_TYPE.items() if re.fullmatch(kind, types[columns.ds]))
    price, volume = "CAST(raw_y AS DOUBLE)", "CAST(raw_volume AS DOUBLE)"
    return _insert(number, columns, day=day, price=price, volume=volume, rows=rows)


def parquet_table(file: PriceFile) -> str:
    """The expression that stands for a Parquet file in a FROM clause."""
    return f"read_parquet({_path(file)}, hive_partitioning = false)"


def _insert(number: int, columns: PriceColumns, *, day: str, price: str, volume: str, rows: str) -> str:
    known = columns.volume is not None
    return _INSERT.format(
        number=number,
        width=len(columns.header),
        day=day,
        price=price,
        volume=volume if known else "NULL",
        bad_volume=_BAD_VOLUME if known else "false",
        rows=rows,
    )


def _cells(file: PriceFile, columns: PriceColumns, cells: Sequence[str], width: str) -> str:
    """The select list of what `_INSERT` reads, from the expression of each cell."""
    own_name = quote(columns.name or file.series_name, "'")
    name = own_name if columns.unique_id is None else cells[columns.unique_id]
    volume = "NULL" if columns.volume is None else cells[columns.volume]
    nulls = [f"is_null({cells[position]})" for position in columns.yahoo_prices]
    return (
        f"{width} AS width, {name} AS raw_id, {cells[columns.ds]} AS raw_ds, {cells[columns.y]} AS raw_y, "
        f"{volume} AS raw_volume, {' AND '.join(nulls) or 'false'} AS holiday"
    )


def _path(file: PriceFile) -> str:
    """The file's path as a literal that DuckDB neither globs nor takes for a home folder or a URL."""
    return quote(re.sub(r"([*?\[])", r"[\1]", os.path.abspath(file.path)), "'")


def quote(text: str, mark: str) -> str:
    """`text` as a literal (mark ') or a name (mark ") of SQL."""
    return mark + text.replace(mark, mark * 2) + mark
