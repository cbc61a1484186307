"""The wheel is whole: installed where no clone can be seen, `efemera` forecasts, serves and exports."""

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

from lambda_fn import MODELS, __version__

ROOT = Path(__file__).parent.parent.parent
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "EFEMERA", "COV_"))}
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
DAY = "2026-11-19"
ALONE = ("--no-deps", "--no-index")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel that `pip wheel` makes of a copy of the sources, with leftovers of a Python that ran there."""
    source = tmp_path_factory.mktemp("source")
    for name in ("export", "lambda_fn", "models"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, source / name)
    for folder in ("export", "lambda_fn/model"):
        (source / folder / "__pycache__").mkdir()
        (source / folder / "__pycache__" / "stale.cpython-311.pyc").touch()
    run(*PIP, "wheel", *ALONE, "--no-build-isolation", "--wheel-dir", source / "dist", source, cwd=source)
    return next((source / "dist").glob("*.whl"))


@pytest.fixture(scope="module")
def efemera(wheel, tmp_path_factory):
    """The command of the installed wheel; what it depends on is read from this environment, and the clone is not."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    # A line of a .pth file adds a folder and, unlike an environment's own, none of the .pth files in it.
    site_packages = Path(
        run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip()
    )
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    run(*PIP, "--python", python, "install", *ALONE, wheel, cwd=folder)
    code = "import export, lambda_fn; print(export.__file__, lambda_fn.__file__, lambda_fn.MODELS)"
    assert all(Path(path).is_relative_to(site_packages) for path in run(python, "-c", code, cwd=folder).split())
    return folder / "bin" / "efemera"


@pytest.fixture(scope="module")
def prices(efemera, tmp_path_factory):
    """Two series that the installed command made."""
    out = tmp_path_factory.mktemp("prices") / "prices.csv"
    run(efemera, "data", "sample", "--series", 2, "--days", 100, "--end", DAY, "--out", out, cwd=out.parent)
    return out


def run(*command, cwd):
    """Run a command and return what it prints; a failure shows it."""
    done = subprocess.run([*map(str, command)], cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_holds_every_file_of_both_packages_and_of_the_model_and_no_other(wheel):
    files = {
        path.relative_to(ROOT) for name in ("export", "lambda_fn", "models") for path in (ROOT / name).rglob("*.*")
    }
    sources = {path.as_posix() for path in files if "__pycache__" not in path.parts and (ROOT / path).is_file()}
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == {f"lambda_fn/{name}" if name.startswith("models/") else name for name in sources}
    assert {"lambda_fn/models/model.onnx", "lambda_fn/api/page/index.html", "lambda_fn/api/openapi.json"} <= names


def test_one_place_says_where_the_model_is():
    code = [path for name in ("export", "lambda_fn") for path in (ROOT / name).rglob("*.py")]
    assert [path for path in code if '"models"' in path.read_text(encoding="utf-8")] == [ROOT / "lambda_fn/__init__.py"]


def test_its_version_is_the_codes(wheel, efemera, tmp_path):
    assert wheel.name == f"efemera-{__version__}-py3-none-any.whl"
    assert __version__ in run(efemera, "--version", cwd=tmp_path)


def test_it_forecasts_one_by_one_and_in_a_batch(efemera, prices, tmp_path):
    found = json.loads(run(efemera, "predict", "--prices", prices, "--json", cwd=tmp_path))
    assert len(found["forecasts"]) == 2
    run(efemera, "batch", "--prices", prices, "--out", tmp_path / "out", "--as-of", DAY, cwd=tmp_path)
    [success] = (tmp_path / "out").rglob("_SUCCESS.json")
    assert json.loads(success.read_text(encoding="utf-8"))["forecast"] == 2


def test_it_serves_a_forecast_and_the_page(efemera, tmp_path):
    with subprocess.Popen(
        [efemera, "serve", "--port", "0"], cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            address = next(word for word in server.stdout.readline().split() if word.startswith("http://"))
            body = json.dumps({"prices": [40 + 0.1 * (day % 7) for day in range(60)]}).encode()
            request = urllib.request.Request(f"{address}/predict", body, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=30) as answer:
                assert json.load(answer)["predicted_price"] == pytest.approx(40, rel=0.05)
            with urllib.request.urlopen(f"{address}/", timeout=30) as page:
                assert b"<!doctype html>" in page.read().lower()
        finally:
            server.send_signal(signal.SIGINT)


def test_it_exports_under_the_gate(efemera, tmp_path):
    run(efemera, "export", "--checkpoint", MODELS / "model_lstm.pth", "--out", tmp_path / "mine", cwd=tmp_path)
    manifest = json.loads((tmp_path / "mine" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["git_revision"] is None
