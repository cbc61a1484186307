"""Assembles a function's package: hashed wheels for Lambda's processor, our code, the model; then prunes it.

SAM runs it through `make build-ApiFunction` and the like; plan, batch and finish have equal packages. Any Python from
3.11 with pip will do: the wheels are Lambda's, not this machine's. Equal inputs make an equal package, to the byte.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PYTHON_VERSION = "3.13"  # the template's Runtime
MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}  # AWS's name → the name in a wheel's tag

# What `lambda_fn.forecaster` reads: the first ones must be there. model_lstm.pth stays: only PyTorch reads it.
MODEL_FILES = ("manifest.json", "model.onnx", "weights.npz", "golden.json", "parity.json")

# What the handlers never load: seen by listing sys.modules and the mapped libraries in Lambda's image, after every kind
# of request and after a whole batch run; tests/infra/test_build.py runs the pruned packages there. A pattern that finds
# nothing is an error: the packages have changed, so look again.
PRUNED = (
    "bin",
    "google", "protobuf-*", "flatbuffers", "flatbuffers-*", "packaging", "packaging-*",  # onnxruntime's tools alone
    "onnxruntime/capi/libonnxruntime.so.*",  # 35 MB for C programs; the Python module holds its own copy
    "onnxruntime/backend", "onnxruntime/datasets", "onnxruntime/quantization",
    "onnxruntime/tools", "onnxruntime/transformers",
    "numpy/**/tests", "numpy/conftest.py", "numpy/testing", "numpy/_core/_*_tests.*.so",
    "numpy/f2py", "numpy/_pyinstaller", "numpy/_core/include", "numpy/_core/lib", "numpy/random",
    "aws_lambda_powertools/event_handler/openapi/swagger_ui",
    "**/*.pyi", "**/*.pxd",
    "*.dist-info/RECORD", "*.dist-info/INSTALLER", "*.dist-info/WHEEL",  # METADATA and licences stay, for scanners
)  # fmt: skip
PRUNED_OF_BATCH = (
    "adbc_driver_duckdb", "duckdb/experimental", "_duckdb-stubs",  # DuckDB for Arrow's drivers and as Spark
    "botocore/data/*", "boto3/data", "boto3/examples",  # the descriptions of 400 services beside S3
    "dateutil/zoneinfo",  # zoneinfo reads tzdata
)  # fmt: skip
KEPT = ("botocore/data/s3", "botocore/data/*.json*")  # what a pattern above must not take: endpoints and retries


class Package(NamedTuple):
    """One kind of package."""

    requirements: Path
    pruned: tuple[str, ...]
    largest: float  # bytes; Lambda takes 250 MiB, from S3 whatever they are zipped; a cold start pays for every one
    largest_zipped: float


PACKAGES = {
    "api": Package(ROOT / "lambda_fn" / "requirements-api.txt", PRUNED, 100e6, 34e6),
    "batch": Package(ROOT / "lambda_fn" / "requirements-batch.txt", PRUNED + PRUNED_OF_BATCH, 180e6, 64e6),
}
LONG_AGO = 946684800  # 2000-01-01: one date for every file, so that an equal package zips to equal bytes


def main() -> None:
    """Assemble the package into `--out` and say what it weighs; exits 2 on bad input, 3 when it is too large."""
    arguments = _arguments()
    package = PACKAGES[arguments.function]
    out: Path = arguments.out
    _check_models(arguments.models)
    if out.exists():
        shutil.rmtree(out)
    _install(out, MACHINES[arguments.architecture], package.requirements)
    unpruned = _size(out)
    _prune(out, package.pruned)
    _copy([*sorted((ROOT / "lambda_fn").glob("*.py")), ROOT / "lambda_fn" / "openapi.json"], out / "lambda_fn")
    _copy([*(arguments.models / name for name in MODEL_FILES), *_optional_files(arguments.models)], out / "models")
    compiled = _compile(out, arguments.lambda_python)
    _level(out)
    size, zipped = _size(out), _zipped(out)
    print(f"package for {arguments.architecture}: {size / 1e6:.1f} MB, zipped {zipped / 1e6:.1f} MB")
    print(f"pruned: {unpruned / 1e6:.1f} MB of packages before; bytecode: {compiled}")
    print(f"contents: sha256 {digest(out)}")
    if size > package.largest or zipped > package.largest_zipped:
        limits = f"{package.largest / 1e6:.0f} MB, {package.largest_zipped / 1e6:.0f} MB zipped"
        _stop(3, f"the package passes its limit of {limits}")


def digest(folder: Path) -> str:
    """One SHA-256 over every path and content of a folder."""
    whole = hashlib.sha256()
    for path in _files(folder):
        whole.update(path.relative_to(folder).as_posix().encode() + b"\0")
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Assemble a function's package for Lambda.")
    parser.add_argument("--function", choices=PACKAGES, default="api", help="batch: of plan, batch and finish [api]")
    parser.add_argument("--out", type=Path, required=True, help="a folder that is emptied first")
    parser.add_argument("--architecture", choices=MACHINES, default="x86_64", help="[x86_64]")
    parser.add_argument(
        "--models",
        type=Path,
        default=Path(os.environ.get("EFEMERA_MODELS") or ROOT / "models"),
        help="the exported model [EFEMERA_MODELS, else models]",
    )
    parser.add_argument(
        "--lambda-python",
        default=f"python{PYTHON_VERSION}",
        help="a Python of Lambda's version, to compile bytecode with; done without where there is none",
    )
    return parser.parse_args()


def _check_models(folder: Path) -> None:
    """Stop on a set of artefacts that the function would refuse at its start."""
    try:
        digests = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
        for name in MODEL_FILES[1:]:
            if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digests[name]:
                _stop(2, f"{folder / name}: not the file that manifest.json names")
    except OSError as error:
        _stop(2, f"{error.filename}: {error.strerror}; name a folder that `efemera export` wrote in EFEMERA_MODELS")
    except (ValueError, KeyError, TypeError):
        _stop(2, f"{folder / 'manifest.json'}: not a manifest")


def _install(out: Path, machine: str, requirements: Path = PACKAGES["api"].requirements) -> None:
    """The locked wheels of Lambda's platform, each checked against its hash; nothing is built or run."""
    platforms = [f"--platform=manylinux{tag}_{machine}" for tag in ("2014", "_2_28")]
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"),
        *("--require-hashes", "--no-deps", "--only-binary=:all:", "--implementation=cp", *platforms),
        *(f"--python-version={PYTHON_VERSION}", f"--target={out}", f"--requirement={requirements}"),
    ]
    if subprocess.run(command, check=False).returncode:
        _stop(2, f"pip could not install {requirements.name} for {machine}; what it says stands above")


def _prune(out: Path, patterns: tuple[str, ...]) -> None:
    kept = {path for pattern in KEPT for path in out.glob(pattern)}
    for pattern in patterns:
        found = [path for path in out.glob(pattern) if path not in kept]
        if not found:
            _stop(3, f"nothing matches {pattern!r} any more: look at what PRUNED in {Path(__file__).name} should be")
        for path in found:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _optional_files(models: Path) -> list[Path]:
    """What a set may come without: its evaluation, and the trading days, which are the same for every model."""
    own = models / "sessions.json"
    sessions = own if own.exists() else ROOT / "models" / "sessions.json"
    return [file for file in (models / "evaluation.json", sessions) if file.exists()]


def _copy(files: list[Path], folder: Path) -> None:
    folder.mkdir()
    for path in files:
        shutil.copyfile(path, folder / path.name)


def _compile(out: Path, python: str) -> str:
    """Write bytecode where Lambda's Python can be had, and say whether: it halves the imports of a cold start.

    /var/task is read-only on Lambda, so what is not compiled here is compiled again at every cold start. Bytecode of
    another version is ignored by Python, hence harmless. `unchecked-hash`: no look at the source's date.
    """
    command = [python, "-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    try:
        version = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        version = ""
    if version != PYTHON_VERSION:
        return f"none, for want of a {python} (LAMBDA_PYTHON)"
    options = ("-q", "--invalidation-mode=unchecked-hash", "-s", str(out), "-p", "/var/task")
    subprocess.run(
        [python, "-m", "compileall", *options, str(out)],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": ""},
    )
    return f"Python {version}"


def _level(out: Path) -> None:
    """Give every file the same date and plain rights, whatever this machine's clock and umask are."""
    for path in out.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (LONG_AGO, LONG_AGO))


def _zipped(out: Path) -> int:
    """The size of the package as SAM will zip it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in _files(out):
            archive.write(path, path.relative_to(out))
    return buffer.getbuffer().nbytes


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in _files(folder))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _stop(code: int, message: str) -> None:
    print(message, file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
