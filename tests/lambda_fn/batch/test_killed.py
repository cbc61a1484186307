"""A run that is killed at any of its writes and started again comes out as if nothing had happened."""

import itertools
import shutil

import pytest

from lambda_fn.tables.store import LocalStore
from tests.lambda_fn.batch.market import DAY, days, table
from tests.lambda_fn.batch.runs import contents, run

pytestmark = pytest.mark.slow


class Death(BaseException):
    """End the process here."""


@pytest.fixture
def die(monkeypatch):
    """Let the k-th write of the process be its last: it dies amid it, or right after it."""

    def at(count, how):
        made = itertools.count(1)
        with_patch = monkeypatch.context()
        patch = with_patch.__enter__()

        def deadly(real):
            def write(self, key, content):
                if next(made) != count:
                    return real(self, key, content)
                if how == "amid":  # what a process that is killed leaves behind
                    target = self._root / key
                    target.parent.mkdir(parents=True, exist_ok=True)
                    (target.parent / ".half").write_bytes(b"PAR1 half a file")
                if how == "after":
                    real(self, key, content)
                raise Death

            return write

        for name in ("put", "put_new"):
            patch.setattr(LocalStore, name, deadly(getattr(LocalStore, name)))
        return with_patch, made

    return at


@pytest.fixture(scope="module")
def evening(tmp_path_factory):
    """Prices of forty series in a place where last week's run of them, to be scored tonight, is finished."""
    folder = tmp_path_factory.mktemp("evening")
    table(40).to_parquet(folder / "prices.parquet", index=False)
    earlier = run(folder / "prices.parquet", folder / "before", str(days(6)[0].date()), series_per_shard=64)
    run(folder / "prices.parquet", folder / "undisturbed", str(days(6)[0].date()), series_per_shard=64)
    run(folder / "prices.parquet", folder / "undisturbed", series_per_shard=32)
    assert earlier.success.forecast == 40
    return folder


def copied(evening, to):
    shutil.copytree(evening / "before", to)
    return to


def test_killed_at_any_write_and_run_again_gives_the_same_bytes(evening, tmp_path, die):
    expected = contents(evening / "undisturbed")
    assert any(key.startswith("scores/") for key in expected)
    patch, made = die(-1, "after")
    run(evening / "prices.parquet", copied(evening, tmp_path / "count"), series_per_shard=32)
    patch.__exit__(None, None, None)
    writes = next(made) - 1
    assert writes == 2 + 2 + 2 * 3 + 2  # shards, their list, the plan; each shard's parts and mark; scores, success
    for count, how in [*((count, "amid") for count in range(1, writes + 1)), (writes, "after")]:
        out = copied(evening, tmp_path / f"{count}-{how}")
        patch, _ = die(count, how)
        with pytest.raises(Death):
            run(evening / "prices.parquet", out, series_per_shard=32)
        patch.__exit__(None, None, None)
        signed = (out / "runs" / DAY).exists() and any((out / "runs" / DAY).glob("*/_SUCCESS.json"))
        assert signed == ((count, how) == (writes, "after"))  # what is not whole is not signed
        run(evening / "prices.parquet", out, series_per_shard=32)
        assert contents(out) == expected, (count, how)


def test_killed_again_and_again_it_comes_to_its_end(evening, tmp_path, die):
    out = copied(evening, tmp_path / "out")
    for count in (1, 2, 3, 4, 3, 2, 2, 1):
        patch, _ = die(count, "after")
        with pytest.raises(Death):
            run(evening / "prices.parquet", out, series_per_shard=32)
        patch.__exit__(None, None, None)
    run(evening / "prices.parquet", out, series_per_shard=32)
    assert contents(out) == contents(evening / "undisturbed")
