"""B3's files with something wrong: one line that names the file, the line, the field and the value."""

import datetime
import gzip
import os
import re
import zipfile

import pytest

from tests.export.data.b3.cotahist_records import DAY, HEADER, content, record, refusal, trailer, write_file

QUOTES = [record(), record("VALE3", 6063), record("PETRK250", 12, market="070", bdi="78")]


def file_of(path, *lines):
    path.write_bytes("".join(line + "\n" for line in lines).encode("latin-1"))
    return path


def changed(first: int, last: int, value: str, line: str = QUOTES[1]) -> str:
    """A record with other characters at these positions of B3's layout."""
    assert len(value) == last - first + 1
    return line[: first - 1] + value + line[last:]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "message"),
    [
        (QUOTES[1][:-1], "line 3: 244 characters where a record has 245"),
        (QUOTES[1] + " ", "line 3: 246 characters where a record has 245"),
        ("", "line 3: 0 characters where a record has 245"),
        (QUOTES[2][:-9], "line 3: 236 characters where a record has 245"),  # an option's record counts as well
        (changed(1, 2, "02"), "line 3: '02' is no record type; known are 00 (header), 01 (quote) and 99 (trailer)"),
        (HEADER, "line 3: a record of type 00 where none can stand"),
        (changed(3, 10, "2024 108"), "line 3: DATE is '2024 108', not a number of 8 digits"),
        (changed(3, 10, "20241308"), "line 3: DATE is '20241308', not a calendar date (YYYYMMDD)"),
        (changed(3, 10, "20230229"), "line 3: DATE is '20230229', not a calendar date (YYYYMMDD)"),
        (changed(3, 10, "19000102"), "line 3: DATE is '19000102', not between 1986-01-01 and today"),
        (changed(3, 10, "29991231"), "line 3: DATE is '29991231', not between 1986-01-01 and today"),
        (changed(13, 24, " " * 12), "line 3: CODNEG is '            ', not a ticker"),
        (changed(13, 24, "VALE 3      "), "line 3: CODNEG is 'VALE 3      ', not a ticker"),
        (changed(13, 24, "VALÉ3       "), "line 3: CODNEG is 'VAL?3       ', not a ticker"),
        (changed(3, 4, "Ã\x87"), "line 3: DATE is '??241108', not a number of 8 digits"),  # one letter to UTF-8
        (changed(13, 14, "Ã\x87"), "line 3: CODNEG is '??LE3       ', not a ticker"),
        (QUOTES[1] + "\x1c\x1d\x1e\x1fmore", "line 3: 253 characters where a record has 245"),
        (changed(100, 100, "\r"), "line 3: PREMED is '0000?00006063', not a number of 13 digits"),
        (changed(57, 69, "00000000-1234"), "line 3: PREABE is '00000000-1234', not a number of 13 digits"),
        (changed(109, 121, "       006063"), "line 3: PREULT is '       006063', not a number of 13 digits"),
        (changed(109, 121, "000000006063O"), "line 3: PREULT is '000000006063O', not a number of 13 digits"),
        (changed(109, 121, "+000000006063"), "line 3: PREULT is '+000000006063', not a number of 13 digits"),
        (changed(109, 121, "0000000060.63"), "line 3: PREULT is '0000000060.63', not a number of 13 digits"),
        (changed(109, 121, "0" * 13), "line 3: PREULT is '0000000000000', not a price"),
        (changed(153, 170, "00000000000000000x"), "line 3: QUATOT is '00000000000000000x', not a number of 18 digits"),
        (changed(211, 217, "000000A"), "line 3: FATCOT is '000000A', not a number of 7 digits"),
        (changed(211, 217, "0000000"), "line 3: FATCOT is '0000000', not a factor"),
        (changed(243, 245, "12A"), "line 3: DISMES is '12A', not a number of 3 digits"),
        (changed(109, 121, "00000000606é3"), "line 3: PREULT is '00000000606?3', not a number of 13 digits"),
    ],
)
def test_a_record_that_cannot_be_right_is_named(tmp_path, line, message):
    path = file_of(tmp_path / "a.txt", HEADER, QUOTES[0], line, QUOTES[2], trailer(5))
    assert refusal(path) == f"{path} {message}"


def test_the_first_of_several_faults_is_named(tmp_path):
    path = file_of(tmp_path / "a.txt", HEADER, QUOTES[0], QUOTES[1][:-1], changed(211, 217, "0000000"), trailer(5))
    assert "line 3" in refusal(path)


def test_what_is_not_wanted_is_not_judged_by_its_numbers(tmp_path):
    """An option's price of nought is nobody's close."""
    path = file_of(tmp_path / "a.txt", HEADER, QUOTES[0], changed(109, 121, "0" * 13, QUOTES[2]), trailer(4))
    assert "PREULT" in refusal(path, markets=("070",), bdi_codes=("78",))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([HEADER, *QUOTES], "line 4: the last record is no trailer (99); the file is cut short"),
        ([HEADER, *QUOTES, trailer(6)], "line 5: the trailer does not count the 5 records of the file"),
        ([HEADER, *QUOTES, trailer(5)[:31] + "XXXXXXXXXXX" + " " * 203], "line 5: the record count is 'XXXXXXXXXXX'"),
        ([HEADER, trailer(3), QUOTES[2]], "line 2: a trailer (99) that is not the last of 3 records"),
        ([HEADER, *QUOTES, trailer(5), HEADER, trailer(7)], "line 6: a record of type 00 where none can stand"),
        ([*QUOTES, trailer(4)], "line 1: begins with '012024110802'"),
        (["unique_id,ds,y"], "line 1: begins with 'unique_id,ds', not with a COTAHIST header, '00COTAHIST'"),
        ([""], "empty file"),
        ([], "empty file"),
        ([HEADER], "line 1: the last record is no trailer"),
        ([HEADER, trailer(2)], "no quote in market (TPMERC) 010 with BDI code (CODBDI) 02"),
    ],
)
def test_a_file_that_is_not_whole_is_named(tmp_path, lines, message):
    path = file_of(tmp_path / "a.txt", *lines)
    assert message in refusal(path)
    assert refusal(path).startswith(str(path))


def test_a_file_cut_in_the_middle_of_a_record_is_named_at_its_end(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(content(QUOTES)[:-300])
    assert refusal(path) == f"{path} line 4: 192 characters where a record has 245"


@pytest.mark.parametrize("count", [260, 300])
def test_mixed_line_ends_do_not_hide_a_wrong_count(tmp_path, count):
    quotes = [record(f"S{number}") for number in range(count)]
    lines = "".join(line + "\n" for line in (*quotes, trailer(count)))
    path = tmp_path / "a.txt"
    path.write_bytes((HEADER + "\r\n" + lines).encode())
    assert f"does not count the {count + 2} records" in refusal(path)


def test_a_line_of_megabytes_is_no_record(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(content(QUOTES).replace(b"\n", b"") * 9000)
    assert refusal(path) == f"{path}: can't be read as lines of text; a record has 245 characters"


def test_two_prices_of_one_day_are_named_with_both_places(tmp_path):
    one, other = write_file(tmp_path / "a.txt", *QUOTES), write_file(tmp_path / "b.txt", QUOTES[2], record(cents=3619))
    assert refusal(one, other) == f"{other} line 3: PETR4 on 2024-11-08 is 36.19, but 36.18 at {one} line 2"
    fewer = write_file(tmp_path / "d.txt", record(volume=99))
    for files in ((one, fewer), (fewer, one)):  # nor does the order choose a volume
        assert "PETR4 on 2024-11-08 is 36.18 with " in refusal(*files)
    within = write_file(tmp_path / "c.txt", *QUOTES, record(cents=3619))
    assert refusal(within) == f"{within} line 5: PETR4 on 2024-11-08 is 36.19, but 36.18 at {within} line 2"


def test_a_ticker_that_is_not_there_is_named(tmp_path):
    path = write_file(tmp_path / "a.txt", *QUOTES)
    assert refusal(path, tickers=("PETR4", "XXXX3")).startswith(
        "--ticker XXXX3: these files have no quote of it in market"
    )


def test_tomorrow_is_a_day_too_many_and_today_is_not(tmp_path):
    today = datetime.datetime.now(datetime.UTC).date()
    write_file(tmp_path / "a.txt", record(day=today))
    assert "not between" in refusal(write_file(tmp_path / "b.txt", record(day=today + datetime.timedelta(days=2))))


@pytest.mark.parametrize("name", ["none.txt", "none.zip", "none.gz", "folder"])
def test_what_is_not_there_is_named(tmp_path, name):
    (tmp_path / "folder").mkdir()
    words = "no file in this folder ends in .txt, .zip or .gz" if name == "folder" else "no such file"
    assert words in refusal(tmp_path / name)


def test_nothing_is_left_behind_where_files_are_unpacked(tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    for inside in (content(QUOTES), content(QUOTES)[:-1000]):
        path = tmp_path / "a.txt.gz"
        path.write_bytes(gzip.compress(inside))
        if len(inside) < len(content(QUOTES)):
            refusal(path)
        assert os.listdir(scratch) == []


# What archives can do.


def zipped(path, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, inside in members:
            archive.writestr(name, inside)
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_rare_way_of_packing_is_named(tmp_path, method):
    path = zipped(tmp_path / "a.zip", [("A.TXT", content(QUOTES))], method)
    assert "packed by a method that is not read here" in refusal(path)


@pytest.mark.parametrize("name", [".", "a\nb"])
def test_an_odd_name_in_a_zip_is_one_line(tmp_path, name):
    assert "must hold one" in refusal(zipped(tmp_path / "a.zip", [(name, b""), ("A.TXT", b"")]))


def test_a_zip_holds_one_file(tmp_path):
    two = zipped(tmp_path / "two.zip", [("A.TXT", content(QUOTES)), ("B.TXT", b"")])
    assert refusal(two) == f"{two}: holds 2 files: 'A.TXT', 'B.TXT'; it must hold one"
    none = zipped(tmp_path / "none.zip", [("folder/", b"")])
    assert refusal(none) == f"{none}: holds 0 files; it must hold one"


@pytest.mark.parametrize("name", ["../A.TXT", "a/../../A.TXT", "/etc/A.TXT", "..\\A.TXT", "C:\\A.TXT"])
def test_a_member_that_climbs_out_is_refused_and_nothing_written(tmp_path, name):
    path = tmp_path / "inner" / "a.zip"
    path.parent.mkdir()
    zipped(path, [(name, content(QUOTES))])
    assert "climbs out of the folder" in refusal(path)
    assert [found.name for found in tmp_path.rglob("*")] == ["inner", "a.zip"]


@pytest.mark.parametrize("ending", ["zip", "gz"])
def test_a_bomb_is_refused_by_its_ratio(tmp_path, ending):
    path, inside = tmp_path / f"bomb.{ending}", b"0" * (32 << 20)
    if ending == "zip":
        zipped(path, [("A.TXT", inside)])
    else:
        path.write_bytes(gzip.compress(inside))
    assert refusal(path) == f"{path}: refused, unpacks to more than 100 times its size"


@pytest.mark.slow
def test_a_bomb_is_refused_by_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr("export.data.b3.unpack.LARGEST", 1 << 30)
    monkeypatch.setattr("export.data.b3.unpack.HIGHEST_RATIO", 10**9)
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(b"0" * (64 << 20)) * 17)  # gzip members one after the other
    assert refusal(path) == f"{path}: refused, unpacks to more than 1 GiB"


@pytest.mark.parametrize("ending", ["zip", "gz"])
def test_a_damaged_archive_is_named(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    if ending == "zip":
        zipped(path, [("A.TXT", content(QUOTES))])
    else:
        path.write_bytes(gzip.compress(content(QUOTES)))
    whole = path.read_bytes()
    middle = len(whole) // 2
    for damaged in (whole[:-5], whole[: middle - 4] + b"\0\xff\0\xff" + whole[middle:], b"PK\3\4 no", b""):
        path.write_bytes(damaged)
        assert re.search(r"is damaged or cut short|empty file", refusal(path))


def test_an_encrypted_zip_is_named(tmp_path):
    path = zipped(tmp_path / "a.zip", [("A.TXT", content(QUOTES))])
    inside = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        inside[inside.index(signature) + offset] |= 1
    path.write_bytes(inside)
    assert refusal(path) == f"{path}: is encrypted"


def test_a_file_nobody_may_read_is_named(tmp_path, monkeypatch):
    """Root reads everything, so the system's refusal is played."""
    path = write_file(tmp_path / "a.txt", record(day=DAY))
    real = type(path).open

    def refused(self, *args, **kwargs):
        if self == path:
            raise PermissionError(13, "Permission denied")
        return real(self, *args, **kwargs)

    monkeypatch.setattr(type(path), "open", refused)
    assert refusal(path) == f"{path}: can't be read (Permission denied)"
