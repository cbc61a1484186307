"""Assemble a function's package: hashed wheels for Lambda's processor, our code, the model; then prune it.

SAM runs it through `make build-ApiFunction` and the like; plan, batch and finish have equal packages, and so have the
two hooks. The wheels are Lambda's, not this machine's. Equal inputs make an equal package, to the byte.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

from infra import weight
from infra.own_modules import own_modules
from infra.packages import ENDPOINTS, MODEL_FILES, PACKAGES, Package
from lambda_fn import MODELS

ROOT = Path(__file__).resolve().parent.parent
PYTHON_VERSION = "3.13"  # the template's Runtime
MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}  # AWS's name → the name in a wheel's tag

SBOM = "sbom.cdx.json"  # in the package, so that it is deployed, rolled back and kept with the very code it lists

LONG_AGO = 946684800  # 2000-01-01: one date for every file, so that an equal package zips to equal bytes


def main() -> None:
    """Assemble the package into `--out` and say what it weighs; exits 2 on bad input, 3 when it is too large."""
    arguments = _arguments()
    kind, machine = arguments.function, MACHINES[arguments.architecture]
    package, out, models = PACKAGES[kind], arguments.out, arguments.models
    _check_models(models)
    try:
        from infra import sbom
    except ModuleNotFoundError as error:
        _stop(2, f"{sys.executable} has no {error.name}, which writes the list of a package's parts: run `make build`")
    if out.exists():
        shutil.rmtree(out)
    wheels = _install(out, machine, kind)
    unpruned, owners = weight.size(out), sbom.owners(out)
    _prune(out, package)
    for path in own_modules(package.handlers):
        _copy([path], (out / path.relative_to(ROOT)).parent)
    for name in package.data:
        _copy([ROOT / "lambda_fn" / name], (out / "lambda_fn" / name).parent)
    _copy([models / name for name in package.models] + _optional_files(package, models), out / "models")
    compiled = _compile(out, arguments.lambda_python)
    target = sbom.Target(kind, machine, PYTHON_VERSION)
    bill = sbom.bill(out, target, owners, wheels, weight.digest(out))
    (out / SBOM).write_text(bill, encoding="utf-8")
    _level(out)
    size, zipped = weight.size(out), weight.zipped(out)
    print(f"package for {arguments.architecture}: {size / 1e6:.1f} MB, zipped {zipped / 1e6:.1f} MB")
    print(f"pruned: {unpruned / 1e6:.1f} MB of packages before; bytecode: {compiled}")
    print(f"contents: sha256 {weight.digest(out)}")
    _check_weight(package, size, zipped)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Assemble a function's package for Lambda.")
    parser.add_argument(
        "--function",
        choices=PACKAGES,
        default="api",
        help="batch: of plan, batch and finish; deploy: of both hooks [api]",
    )
    parser.add_argument("--out", type=Path, required=True, help="a folder that is emptied first")
    parser.add_argument("--architecture", choices=MACHINES, default="x86_64", help="[x86_64]")
    parser.add_argument(
        "--models",
        type=Path,
        default=Path(os.environ.get("EFEMERA_MODELS") or MODELS),
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


def _install(out: Path, machine: str, kind: str = "api") -> dict[str, str]:
    """Install the locked wheels of Lambda's platform, each checked against its hash; nothing is built or run.

    Returns the SHA-256 of each distribution's wheel.
    """
    requirements = ROOT / "lambda_fn" / kind / "requirements.txt"
    platforms = [f"--platform=manylinux{tag}_{machine}" for tag in ("2014", "_2_28")]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"),
            *("--require-hashes", "--no-deps", "--only-binary=:all:", "--implementation=cp", *platforms),
            *(f"--python-version={PYTHON_VERSION}", f"--target={out}", f"--requirement={requirements}"),
        ]
        if subprocess.run([*command, f"--report={report}"], check=False).returncode:
            _stop(2, f"pip could not install {requirements.name} for {machine}; what it says stands above")
        installed = json.loads(report.read_text(encoding="utf-8"))["install"]
    hashes = [(one["metadata"]["name"], one["download_info"]["archive_info"]["hashes"]["sha256"]) for one in installed]
    return {re.sub(r"[-_.]+", "-", name).lower(): digest for name, digest in hashes}


def _prune(out: Path, package: Package) -> None:
    kept = {path for name in package.services for path in out.glob(f"botocore/data/{name}")} | {*out.glob(ENDPOINTS)}
    for pattern in package.pruned:
        pruned = [path for path in out.glob(pattern) if path not in kept]
        if not pruned:
            _stop(3, f"nothing matches {pattern!r} any more: look at what infra/packages.py should prune")
        for path in pruned:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _optional_files(package: Package, models: Path) -> list[Path]:
    """List the files that a set may lack: its evaluation, and the trading days, which are the same for every model."""
    if package.models != MODEL_FILES:
        return []
    own = models / "sessions.json"
    sessions = own if own.exists() else MODELS / "sessions.json"
    return [file for file in (models / "evaluation.json", sessions) if file.exists()]


def _copy(files: list[Path], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
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


def _check_weight(package: Package, size: int, zipped: int) -> None:
    """Stop where a package weighs more than its kind may."""
    if size > package.largest or zipped > package.largest_zipped:
        limits = f"{package.largest / 1e6:.0f} MB, {package.largest_zipped / 1e6:.0f} MB zipped"
        _stop(3, f"the package passes its limit of {limits}")


def _stop(code: int, message: str) -> NoReturn:
    print(message, file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
