"""The SQL that turns one COTAHIST file into typed quotes, and the SQL that finds what is wrong with it.

Layout: B3, "Layout do arquivo Cotações Históricas" (245 characters a record, positions from 1, both ends included).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lambda_fn.tables.sql import quote

RECORD = 245  # characters
FIELDS = {
    "DATE": (3, 10),
    "CODBDI": (11, 12),
    "CODNEG": (13, 24),
    "TPMERC": (25, 27),
    "ESPECI": (40, 49),
    "MODREF": (53, 56),
    "PREABE": (57, 69),
    "PREMAX": (70, 82),
    "PREMIN": (83, 95),
    "PREMED": (96, 108),
    "PREULT": (109, 121),
    "QUATOT": (153, 170),
    "VOLTOT": (171, 188),
    "FATCOT": (211, 217),
    "CODISI": (231, 242),
    "DISMES": (243, 245),
}
# TOTNEG (148-152) is not among them: five digits are too few for the trades of a busy day, and nothing reads it.
_NUMBERS = ("DATE", "PREABE", "PREMAX", "PREMIN", "PREMED", "PREULT", "QUATOT", "VOLTOT", "FATCOT", "DISMES")
_DIGITS = ((3, 10), (57, 121), (153, 188), (211, 217), (243, 245))  # where they stand, neighbours as one
_TICKER = "[A-Z0-9]+ *"
EARLIEST = "1986-01-01"  # B3's first file

PREPARE = """
    CREATE TABLE quotes (
        file INTEGER, unique_id VARCHAR, ds DATE, y DOUBLE, volume BIGINT,
        terms VARCHAR, -- ESPECI, PRAZOT, MODREF
        paper VARCHAR, -- CODISI, DISMES
        rest VARCHAR); -- a line that is not a sound quote, the header and the trailer among them
    CREATE MACRO ex_mark(terms) AS regexp_extract(terms, '^.{4}(E[A-Z]*)', 1); -- of "ON  EDJ NM"
    CREATE MACRO fault_of(field, value, reason) AS {'field': field, 'value': value, 'reason': reason};
"""
DROP_REST = (
    "DELETE FROM quotes WHERE rest IS NOT NULL OR (len($tickers) > 0 AND NOT list_contains($tickers, unique_id))"
)

_LINES = r"""read_csv({path}, columns = {{'line': 'VARCHAR'}}, delim = e'\x1c\x1d\x1e\x1f', quote = '', escape = '',
    header = false, auto_detect = false, strict_mode = false, compression = 'none')"""


def scan_file(path: Path, number: int, markets: Sequence[str], bdi_codes: Sequence[str]) -> str:
    """The statement that adds the wanted quotes of an unpacked file to `quotes`, and every line that is suspect.

    All is done while the lines are read, on every core; a line that isn't wanted is looked at once, by LIKE.
    """
    return f"""
        INSERT INTO quotes
        SELECT {number}, trim({_cell("CODNEG")}), {_DAY}, {_PRICE}, TRY_CAST({_cell("QUATOT")} AS BIGINT),
            {_slice(40, 56)}, {_slice(231, 245)}, CASE WHEN {_SOUND} THEN NULL ELSE coalesce(line, '') END
        FROM {_lines(path)}
        WHERE line IS NULL OR length(line) <> {RECORD} OR line < '01' OR line >= '02' OR
            {_wanted(markets, bdi_codes)}"""


def first_fault(path: Path, markets: Sequence[str], bdi_codes: Sequence[str]) -> str:
    """The query for the first record that can't be right: row, length, type, field, value, reason."""
    cases = [
        f"WHEN length(line) <> {RECORD} THEN fault_of('length', '', '')",
        "WHEN line[1:2] NOT IN ('00', '01', '99') THEN fault_of('type', line[1:2], '')",
        "WHEN (line[1:2] = '00') <> (row = 1) THEN fault_of('header', '', '')",
        "WHEN line[1:2] = '00' THEN NULL",
        "WHEN line[1:2] = '99' THEN CASE WHEN NOT regexp_full_match(line[32:42], '[0-9]{11}') "
        "THEN fault_of('the record count', line[32:42], 'not a number') END",
        f"WHEN NOT ({_wanted(markets, bdi_codes)}) THEN NULL",
    ]
    for name in _NUMBERS:
        digits = f"[0-9]{{{_width(name)}}}"
        reason = f"not a number of {_width(name)} digits"
        cases.append(f"WHEN NOT regexp_full_match({_cell(name)}, '{digits}') THEN {_fault(name, reason)}")
    cases += [
        f"WHEN {_DAY} IS NULL THEN {_fault('DATE', 'not a calendar date (YYYYMMDD)')}",
        f"WHEN NOT {_IN_RANGE} THEN {_fault('DATE', f'not between {EARLIEST} and today')}",
        f"WHEN NOT regexp_full_match({_cell('CODNEG')}, '{_TICKER}') THEN {_fault('CODNEG', 'not a ticker')}",
        f"WHEN {_is_zero('FATCOT')} THEN {_fault('FATCOT', 'not a factor')}",
        f"WHEN {_is_zero('PREULT')} THEN {_fault('PREULT', 'not a price')}",
    ]
    return f"""
        SELECT row, length(line), line[1:2], fault.field, fault.value, fault.reason
        FROM (SELECT row, line, CASE {" ".join(cases)} END AS fault FROM ({_numbered(path)}))
        WHERE fault IS NOT NULL ORDER BY row LIMIT 1"""


def trailers(path: Path) -> str:
    """The query for the number of records, and the positions of all trailers."""
    return f"SELECT max(row), list(row ORDER BY row) FILTER (WHERE starts_with(line, '99')) FROM ({_numbered(path)})"


def position(path: Path, markets: Sequence[str], bdi_codes: Sequence[str]) -> str:
    """The query for the row of the quote of ticker $1 on day $2 at price $3 with volume $4."""
    return f"""
        SELECT row FROM ({_numbered(path)})
        WHERE ({_wanted(markets, bdi_codes)}) AND trim({_cell("CODNEG")}) = $1 AND {_DAY} = $2 AND {_PRICE} = $3
            AND TRY_CAST({_cell("QUATOT")} AS BIGINT) = $4
        ORDER BY row LIMIT 1"""


def _numbered(path: Path) -> str:
    """Number the lines, first = 1."""
    return f"SELECT row_number() OVER () AS row, coalesce(line, '') AS line FROM {_lines(path)}"


def _lines(path: Path) -> str:
    return _LINES.format(path=quote(str(path.absolute()), "'"))


def _wanted(markets: Sequence[str], bdi_codes: Sequence[str]) -> str:
    patterns = [f"line LIKE '01________{bdi}____________{market}%'" for market in markets for bdi in bdi_codes]
    return " OR ".join(patterns)


def _cell(name: str) -> str:
    return _slice(*FIELDS[name])


def _slice(first: int, last: int) -> str:
    return f"substring(line, {first}, {last - first + 1})"  # line[first:last] takes twice as long


def _width(name: str) -> int:
    first, last = FIELDS[name]
    return last - first + 1


def _fault(name: str, reason: str) -> str:
    return f"fault_of('{name}', {_cell(name)}, '{reason}')"


def _is_zero(name: str) -> str:
    return f"{_cell(name)} = '{'0' * _width(name)}'"


_DAY = f"CAST(try_strptime({_cell('DATE')}, '%Y%m%d') AS DATE)"
# exact whole numbers: the price is rounded once
_PRICE = f"TRY_CAST({_cell('PREULT')} AS BIGINT) / (100e0 * TRY_CAST({_cell('FATCOT')} AS BIGINT))"
_IN_RANGE = f"{_DAY} BETWEEN DATE '{EARLIEST}' AND current_date + 1"
_SOUND = (  # what all the cases of `first_fault` together refuse, in as few looks as can be
    f"length(line) = {RECORD} AND starts_with(line, '01') "
    f"AND regexp_full_match(concat({', '.join((_cell('CODNEG'), *(_slice(*digits) for digits in _DIGITS)))}), "
    f"'{_TICKER}[0-9]{{{sum(last - first + 1 for first, last in _DIGITS)}}}') "
    f"AND coalesce({_IN_RANGE} AND {_PRICE} BETWEEN 1e-9 AND 1e12, false)"
)
