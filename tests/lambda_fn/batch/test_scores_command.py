"""`efemera batch scores` as a user meets it."""

import json
import shutil

import pandas as pd

from tests.lambda_fn.batch.market import DAY, days
from tests.lambda_fn.batch.test_command import refused


def test_scores_are_shown_as_a_table(efemera, scored):
    code, stdout, stderr = efemera("batch", "scores", "-o", scored, columns=80)
    assert (code, stderr) == (0, "")
    header, _, *lines, last = stdout.splitlines()
    levels = ("50", "80", "95")
    covers = [word for level in levels for word in (f"{level}%", "covers")]
    assert header.split() == ["step", "forecasts", "error/naive", *covers, "pinball"]
    found = pd.read_parquet(scored / "scores" / f"{DAY}.parquet")
    assert [line.split()[:2] for line in lines] == [["all", "60"], ["1", "30"], ["2", "30"]]
    for line, rows in zip(lines, (found, found[found["step"] == 1], found[found["step"] == 2]), strict=True):
        assert line.split()[2:] == [
            f"{rows['mae'].sum() / rows['mae_naive'].sum():.3f}",
            *(f"{rows[f'coverage-{level}'].mean():.1%}" for level in levels),
            f"{rows['pinball'].mean():.5f}",
        ]
    first_met = str(days(2)[0].date())
    assert last == f"2 sessions scored, {first_met} to {DAY}; errors and pinball in log returns"
    assert max(map(len, stdout.splitlines())) <= 80


def test_scores_as_json(efemera, scored):
    _, stdout, _ = efemera("batch", "scores", "-o", scored, "--json")
    told = json.loads(stdout)
    assert list(told) == ["all", "1", "2"]
    assert set(told["all"]) == {"sessions", "series", "ratio_to_naive", "coverage", "pinball"}
    assert (told["all"]["sessions"], told["all"]["series"], told["1"]["series"]) == (2, 60, 30)
    assert set(told["all"]["coverage"]) == {"50", "80", "95"}


def test_scores_as_a_picture(efemera, scored, tmp_path):
    code, _, stderr = efemera("batch", "scores", "-o", scored, "--plot", tmp_path / "scores.PNG")
    assert (code, stderr) == (0, f"drawn: {tmp_path}/scores.PNG\n")
    picture = (tmp_path / "scores.PNG").read_bytes()
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = (int.from_bytes(picture[at : at + 4], "big") for at in (16, 20))
    assert width > 1000
    assert height > 600


def test_scores_of_a_place_without_any_are_refused(efemera, tmp_path):
    words = "no scores yet; a run scores the earlier ones whose steps have met their closes since"
    assert refused(efemera, "scores", "-o", tmp_path) == f"--out {tmp_path}: {words}"
    assert refused(efemera, "scores", "-o", tmp_path / "none") == f"--out {tmp_path}/none: {words}"
    assert refused(efemera, "scores", "-o", tmp_path, "--plot", "scores.pdf") == "--plot scores.pdf: must end in .png"


def test_a_damaged_scores_file_is_named(efemera, scored, tmp_path):
    shutil.copytree(scored, tmp_path / "out")
    (tmp_path / "out" / "scores" / f"{DAY}.parquet").write_bytes(b"PAR1 no more PAR1")
    found, _, stderr = efemera("batch", "scores", "-o", tmp_path / "out")
    assert found == 2
    assert f"{DAY}.parquet" in stderr
