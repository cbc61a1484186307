"""A run's record of its input: the files in its plan, and the status of a Yahoo row without a close."""

import hashlib

from tests.lambda_fn.batch.runs import run
from tests.lambda_fn.tables.test_layouts import yahoo


def test_a_day_of_yahoo_s_with_prices_but_no_close_is_a_bad_price(cents, tmp_path):
    lines = yahoo(cents[cents["unique_id"] == "S0003"]).to_csv(index=False).splitlines()
    cells = lines[-1].split(",")
    lines[-1] = ",".join([*cells[:5], "null", cells[6]])
    (tmp_path / "S0003.csv").write_text("\n".join(lines))
    assert run(tmp_path / "S0003.csv", tmp_path / "out").reasons == {
        "S0003": ("bad price", "y 'null' on 2026-11-19 in S0003.csv is no price between 1e-9 and 1e12")
    }


def test_the_plan_lists_what_was_read(cents, tmp_path):
    for place in ("x", "y"):
        (tmp_path / place).mkdir()
        cents.to_csv(tmp_path / place / "b.csv", index=False)
    cents.to_parquet(tmp_path / "a.parquet", index=False)
    ran = run([tmp_path / "x", tmp_path / "y" / "b.csv", tmp_path / "a.parquet"], tmp_path / "out")
    contents = [(tmp_path / name).read_bytes() for name in ("a.parquet", "x/b.csv", "y/b.csv")]
    assert [(file.name, file.sha256, file.bytes) for file in ran.plan.inputs] == [
        (name, hashlib.sha256(content).hexdigest(), len(content))
        for name, content in zip(("a.parquet", "b.csv", "b.csv"), contents, strict=True)
    ]
    assert (ran.plan.rows, ran.plan.series) == (3 * len(cents), 12)
