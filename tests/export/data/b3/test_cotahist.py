"""B3's files: what is read from them, and what is concluded."""

import datetime
import gzip
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.export.data.b3.cotahist_records import DAY, content, read, record, write_file
from tests.export.data.price_tables import as_table

NEXT = DAY + datetime.timedelta(days=3)  # a Monday


@pytest.fixture(scope="module")
def session(tmp_path_factory) -> Path:
    """The real session of 2024-11-08 where EFEMERA_DATA has it, else one made with its well-known closes."""
    folder = os.environ.get("EFEMERA_DATA")
    if folder:
        return Path(folder) / "COTAHIST_D08112024.TXT.gz"
    path = tmp_path_factory.mktemp("session") / "COTAHIST_D08112024.TXT.gz"
    quotes = [record("PETR4", 3618, volume=35_600_000), record("VALE3", 6063, isin="BRVALEACNOR0", volume=9)]
    options = [record(f"PETRK{number}", 50, market="070", bdi="78") for number in range(200)]
    path.write_bytes(gzip.compress(content([*quotes, *options, record("BOVA11", 12_500, bdi="14")])))
    return path


def test_the_closes_of_a_session_are_those_b3_published(session):
    quotes = read(session)
    closes = {unique_id: y[0] for unique_id, (_, y) in ((i, quotes.prices.series(i)) for i in quotes.prices.ids)}
    assert closes["PETR4"] == 36.18
    assert closes["VALE3"] == 60.63
    assert set(quotes.prices.ds) == {np.datetime64("2024-11-08")}
    assert quotes.volume.min() > 0
    assert "BOVA11" not in closes


def test_etfs_and_other_codes_come_by_name(session):
    assert "BOVA11" in read(session, bdi_codes=("02", "14")).prices.ids
    assert set(read(session, bdi_codes=("14",)).prices.ids) & {"PETR4", "BOVA11"} == {"BOVA11"}
    options = read(session, markets=("070",), bdi_codes=("78",)).prices.ids
    assert len(options) >= 200
    assert "PETR4" not in options


def test_tickers_alone(session):
    assert read(session, tickers=("VALE3", "PETR4")).prices.ids == ("PETR4", "VALE3")


def test_a_price_is_for_one_share(tmp_path):
    quotes = read(write_file(tmp_path / "a.txt", record(cents=123_456, factor=1000), record("VALE3", 1, NEXT)))
    assert as_table(quotes.prices) == {"PETR4": {"2024-11-08": 1.23456}, "VALE3": {"2024-11-11": 0.01}}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("ending", [".TXT", ".txt", ".TXT.gz", ".ZIP", ""])
def test_every_packing_and_line_ending_gives_the_same(tmp_path, newline, ending):
    path, inside = tmp_path / f"COTAHIST_A2024{ending}", content([record(), record("VALE3", 6063)], newline)
    if ending == ".ZIP":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("COTAHIST.A2024", inside)
    else:
        path.write_bytes(gzip.compress(inside) if ending.endswith(".gz") else inside)
    assert as_table(read(path).prices) == {"PETR4": {"2024-11-08": 36.18}, "VALE3": {"2024-11-08": 60.63}}


def test_the_last_line_may_go_without_its_end(tmp_path):
    path = tmp_path / "a.txt"
    for newline in ("\n", "\r\n"):
        path.write_bytes(content([record()], newline).removesuffix(newline.encode()))
        assert len(read(path).prices) == 1


def test_mixed_line_endings_are_counted_as_they_are(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(content([record(), record("VALE3")], "\r\n").replace(b"\r\n", b"\n", 2))
    assert len(read(path).prices) == 2


def test_accents_are_latin_1(tmp_path):
    """0xC3 0x87 is 'Ç' to UTF-8 and two characters to latin-1: positions must be counted in the latter."""
    for name in ("AÇO", "AÃ\x87O", "ÇÇÇÇÇÇÇÇÇÇÇÇ"):
        quotes = read(write_file(tmp_path / "a.txt", record(name=name, especi="PN  EDJ N2"), record("VALE3", 6063)))
        assert as_table(quotes.prices) == {"PETR4": {"2024-11-08": 36.18}, "VALE3": {"2024-11-08": 60.63}}


def test_several_files_are_one_table_and_a_day_given_twice_counts_once(tmp_path):
    write_file(tmp_path / "COTAHIST_D08112024.TXT", record(), record("VALE3", 6063))
    write_file(tmp_path / "COTAHIST_M112024.TXT", record(), record(cents=3700, day=NEXT, volume=5))
    (tmp_path / ".hidden.txt").write_text("not one of them")
    (tmp_path / "notes.md").write_text("nor this")
    quotes = read(tmp_path)
    assert as_table(quotes.prices) == {
        "PETR4": {"2024-11-08": 36.18, "2024-11-11": 37.0},
        "VALE3": {"2024-11-08": 60.63},
    }
    assert quotes.volume.tolist() == [1000, 5, 1000]
    assert quotes.prices.notes == ("quotes given twice, counted once: 1",)
    assert len(quotes.prices.sources) == 2


def events(tmp_path, *quotes) -> list[tuple[str, str, str]]:
    found = read(write_file(tmp_path / "a.txt", *quotes)).events
    return [(event.unique_id, str(event.ds), event.reason) for event in found]


def test_an_ex_date_is_where_the_distribution_number_changes(tmp_path):
    day = [DAY + datetime.timedelta(days=number) for number in range(6)]
    assert events(
        tmp_path,
        record(day=day[0]),
        record(day=day[1], distribution=126, especi="PN  EDJ N2"),  # marked, and the mark stays two days
        record(day=day[2], distribution=126, especi="PN  EDJ N2"),
        record(day=day[3], distribution=126),
        record(day=day[4], distribution=127),  # not marked: traded again after its ex-date
        record(day=day[5], distribution=127, especi="PN  EG  N2"),  # marked alone
        record("VALE3", day=day[1], distribution=1, isin="BRVALEACNOR0"),  # another series begins: no event
        record("VALE3", day=day[2], distribution=1, isin="BRVALEACNOR0", especi="ATZ     NM"),  # no ex-mark
    ) == [
        ("PETR4", str(day[1]), "EDJ"),
        ("PETR4", str(day[4]), "distribution 126 → 127"),
        ("PETR4", str(day[5]), "EG"),
    ]


def test_a_new_paper_or_currency_behind_the_ticker_is_an_event(tmp_path):
    assert events(
        tmp_path,
        record(currency="CR$"),
        record(day=NEXT, isin="BRPETRACNPR7", distribution=100),
    ) == [("PETR4", str(NEXT), "ISIN BRPETRACNPR6 → BRPETRACNPR7, currency CR$ → R$")]


CENTS = st.integers(1, 10**12)
TICKERS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=1, max_size=12)
DAYS = st.dates(datetime.date(1986, 1, 1), datetime.date(2026, 1, 1))


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    table=st.dictionaries(st.tuples(TICKERS, DAYS), st.tuples(CENTS, st.sampled_from([1, 1000])), min_size=1),
    others=st.lists(st.tuples(TICKERS, st.sampled_from([("070", "78"), ("020", "96"), ("010", "14")])), max_size=5),
    newline=st.sampled_from(["\n", "\r\n"]),
    name=st.sampled_from(["PETROBRAS", "CIA AÇÚCAR"]),
)
def test_any_table_of_closes_comes_back_from_its_records(tmp_path, table, others, newline, name):
    quotes = [record(i, cents, day, factor=factor, name=name) for (i, day), (cents, factor) in table.items()]
    quotes += [record(ticker, 1, market=market, bdi=bdi) for ticker, (market, bdi) in others]
    path = write_file(tmp_path / "a.txt", *sorted(quotes), newline=newline)
    expected: dict[str, dict[str, float]] = {}
    for (ticker, day), (cents, factor) in table.items():
        expected.setdefault(ticker, {})[str(day)] = cents / (100 * factor)
    assert as_table(read(path).prices) == expected
