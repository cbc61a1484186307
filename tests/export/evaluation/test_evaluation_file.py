"""Files written: an `evaluation.json` that proves itself and a `scores.csv` with every score, or nothing at all."""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import math
from pathlib import Path

import jsonschema
import pytest

from export.errors import InputError
from export.evaluation.evaluation_file import digest_of, evaluation_json, write_evaluation
from export.schemas import SCHEMAS
from tests.export.evaluation.report.made_evaluation import SLOW, made_evaluation


@pytest.fixture
def evaluation():
    """One of two series, in whose numbers there are some that can't be told."""
    made = made_evaluation(series=("A", "B"), without=SLOW)
    return {**made, "reasons": ["The média of Ação is no better."]}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def read(folder: Path) -> list[dict[str, str]]:
    with (folder / "scores.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_json_fits_its_schema_and_is_strict(tmp_path, evaluation):
    assert write_evaluation(tmp_path, evaluation) == [tmp_path / "scores.csv", tmp_path / "evaluation.json"]
    assert {path.name for path in tmp_path.iterdir()} == {"scores.csv", "evaluation.json"}

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    told = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"), parse_constant=refuse)
    schema = json.loads((SCHEMAS / "evaluation.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(told, schema)
    assert {name: told[name] for name in evaluation if name not in ("scores", "comparisons")} == {
        name: evaluation[name] for name in evaluation if name not in ("scores", "comparisons")
    }


def test_a_number_that_can_not_be_told_is_null_and_every_other_is_as_it_was(evaluation):
    told = json.loads(evaluation_json(evaluation))

    def compare(written, given):
        if isinstance(given, dict):
            assert written.keys() == given.keys()
            return sum(compare(written[name], given[name]) for name in given)
        if isinstance(given, float) and not math.isfinite(given):
            assert written is None
            return 1
        assert written == given
        return 0

    kept = [
        line
        for line in evaluation["scores"]
        if line["part"] == "all" or (line["part"].startswith("volatility") and line["step"] == 1)
    ]
    nulls = [compare(*pair) for pair in zip(told["scores"], kept, strict=True)]
    assert sum(nulls) > 0
    assert told["scores"][0]["methods"]["naive"]["direction"]["share"] is None


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_no_number_without_an_end_is_written_as_one(evaluation, number):
    evaluation["comparisons"][0]["statistic"] = number
    assert json.loads(evaluation_json(evaluation))["comparisons"][0]["statistic"] is None


def test_the_scores_of_each_series_are_in_the_table_alone(tmp_path, evaluation):
    write_evaluation(tmp_path, evaluation)
    told = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    thirds = [f"volatility {name}" for name in ("low", "middle", "high")]
    assert [line["part"] for line in told["scores"]] == ["all"] * 6 + thirds
    assert {row["part"] for row in read(tmp_path)} == {"all", *thirds, "series A", "series B"}


def test_the_given_evaluation_stays_as_it_was(evaluation):
    before = repr(evaluation)
    evaluation_json(evaluation)
    assert repr(evaluation) == before


def test_the_digest_is_of_the_rest_as_sorted_compact_json(evaluation):
    evaluation["reasons"] = ["plain words"]
    told = json.loads(evaluation_json(evaluation))
    rest = {name: value for name, value in told.items() if name not in ("sha256", "evaluated_at")}
    compact = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    assert told["sha256"] == hashlib.sha256(compact.encode()).hexdigest() == digest_of(told)


def test_the_digest_does_not_change_with_the_time_or_the_order(evaluation):
    digest = json.loads(evaluation_json(evaluation))["sha256"]
    evaluation["evaluated_at"] = "2027-01-01T00:00:00+00:00"
    turned = dict(reversed(evaluation.items()))
    assert json.loads(evaluation_json(turned))["sha256"] == digest


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one["comparisons"][0].update(ratio=one["comparisons"][0]["ratio"] + 1e-15),
        lambda one: one["scores"][0]["methods"]["ewma"]["coverage"]["80"].update(low=0.5),
        lambda one: one.update(verdict="edge"),
        lambda one: one.update(forced="it is better elsewhere"),
        lambda one: one["data"].update(rows=701),
    ],
    ids=["last digit", "coverage", "verdict", "forced", "rows"],
)
def test_the_digest_changes_with_all_else(evaluation, change):
    digest = json.loads(evaluation_json(evaluation))["sha256"]
    change(evaluation)
    assert json.loads(evaluation_json(evaluation))["sha256"] != digest


def test_the_table_has_a_row_for_each_number(tmp_path, evaluation):
    write_evaluation(tmp_path, evaluation)
    rows = read(tmp_path)
    lines = 6 + 3 + 2  # all at each step, thirds, series
    errors, direction, losses, cover, winkler = 5, 4, 3, 3 * 3, 3
    assert len(rows) == lines * (6 * (errors + direction) + 4 * (losses + cover + winkler))
    assert list(rows[0]) == ["part", "step", "cases", "method", "measure", "value"]
    keys = {(row["part"], row["step"], row["method"], row["measure"]) for row in rows}
    assert len(keys) == len(rows)
    assert all(None not in row and None not in row.values() for row in rows)


def test_the_table_tells_each_number_to_its_last_digit(tmp_path, evaluation):
    write_evaluation(tmp_path, evaluation)
    values = {tuple(row.values())[:5]: float(row["value"]) for row in read(tmp_path)}
    for line in evaluation["scores"]:
        for method, scores in line["methods"].items():
            before = (line["part"], str(line["step"]), str(line["cases"]), method)
            assert values[*before, "rel_mae"] == scores["rel_mae"]
            if "pinball" in scores:
                assert values[*before, "direction majority"] == scores["direction"]["majority"]
                assert values[*before, "coverage 80 share"] == scores["coverage"]["80"]["share"]
                assert values[*before, "winkler 95"] == scores["winkler"]["95"]
    assert math.isnan(values["all", "1", "5600", "naive", "direction share"])


def test_a_series_name_with_commas_quotes_and_accents_comes_back(tmp_path, evaluation):
    name = 'series A,"Ação";\nB'
    evaluation["scores"][-1]["part"] = name
    write_evaluation(tmp_path, evaluation)
    assert read(tmp_path)[-1]["part"] == name


def test_a_second_writing_replaces_the_first_and_nothing_else(tmp_path, evaluation):
    folder = tmp_path / "deep" / "down"
    write_evaluation(folder, evaluation)
    (folder / "mine.txt").write_text("stays")
    first = contents(folder)
    evaluation["scores"] = [line for line in evaluation["scores"] if line["part"] == "all"]
    write_evaluation(folder, evaluation)
    second = contents(folder)
    assert second.keys() == first.keys() == {"mine.txt", "scores.csv", "evaluation.json"}
    assert second["mine.txt"] == b"stays"
    assert second["evaluation.json"] == evaluation_json(evaluation)
    assert {row["part"] for row in read(folder)} == {"all"}


@pytest.mark.parametrize("inner", ["", "below"])
def test_a_file_in_the_folders_place_is_the_users_fault(tmp_path, evaluation, inner):
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(InputError, match="--out .*taken.*: can't be written"):
        write_evaluation(tmp_path / "taken" / inner, evaluation)
    assert contents(tmp_path) == {"taken": b"mine"}


@pytest.mark.parametrize("name", ["scores.csv", "evaluation.json"])
def test_a_full_disk_leaves_the_earlier_files_whole(tmp_path, evaluation, monkeypatch, name):
    write_evaluation(tmp_path, evaluation)
    before = contents(tmp_path)
    write = Path.write_bytes

    def half(path, content):
        if path.name != name:
            return write(path, content)
        write(path, content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    evaluation["verdict"] = "edge"
    evaluation["scores"].pop()
    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(InputError, match="--out .*: can't be written \\(No space left on device\\)"):
        write_evaluation(tmp_path, evaluation)
    assert contents(tmp_path) == before


def test_what_does_not_fit_the_schema_is_never_written(tmp_path, evaluation):
    evaluation["verdict"] = "splendid"
    with pytest.raises(jsonschema.ValidationError):
        write_evaluation(tmp_path / "out", evaluation)
    assert not (tmp_path / "out").exists()
