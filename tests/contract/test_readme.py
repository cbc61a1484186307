"""The READMEs keep their word: every command in them runs, in the order a reader meets them."""

import csv
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from export.data.sample import made_market
from tests.export.data.b3.cotahist_records import content, record
from tests.export.local.test_server import serving

ROOT = Path(__file__).parent.parent.parent
READMES = ("README.md", "README.pt-BR.md")
# What other runs cover: each target is run by .ci/run, a fresh clone or the docker tests; deploying needs an account,
# and Yahoo a network. tests/infra/test_signed_curl.py runs the signed curl.
ELSEWHERE = re.compile(
    r"make (demo|test|build|(deploy|rollback) ENV=dev)$|efemera data yahoo .*$|curl --aws-sigv4 .*$|"
    r"sam local invoke ApiFunction -e tests/events/predict\.json$"
)
CURL = """#!{python}
import sys, urllib.request
url, header, body = (*sys.argv[2::2], None, None)[:3]
headers = dict([header.split(": ")]) if header else {{}}
print(urllib.request.urlopen(urllib.request.Request(url, body and body.encode(), headers)).read().decode())
"""  # for machines without curl: what `curl -s URL -H HEADER -d BODY` and `curl -s URL` do


def python_blocks() -> list[str]:
    """README.md's ```python blocks: a reader of the batch tables, and a client of the server."""
    return re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)


def commands(readme: str) -> list[str]:
    """The lines of its ```sh blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / readme).read_text(encoding="utf-8"), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


@pytest.fixture
def place(tmp_path):
    """A folder as a reader has it: the clone's models and environment, some prices, a checkpoint made elsewhere."""
    (tmp_path / "models").symlink_to(ROOT / "models")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "activate").write_text(f"PATH={Path(sys.executable).parent}:$PATH\n")
    quotes = content([record("PETR4", 3618), record("VALE3", 6063)])
    with zipfile.ZipFile(tmp_path / "COTAHIST_A2024.ZIP", "w") as archive:
        archive.writestr("COTAHIST_A2024.TXT", quotes)
    (tmp_path / "actions.csv").write_text("unique_id,ds,kind,value\nPETR4,2024-12-27,dividend,0.6\n")
    days = np.arange("2018-01-01", "2021-09-01", dtype="datetime64[D]")
    with (tmp_path / "prices.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["unique_id", "ds", "y"])
        for name, closes in zip(("AAA", "BBB"), made_market(2, len(days), seed=0), strict=True):
            writer.writerows([name, day, close] for day, close in zip(days, closes, strict=True))
    parts = {"lstm": nn.LSTM(1, 50, 2), "linear": nn.Linear(50, 1)}
    torch.save(
        {f"{part}.{k}": v for part, net in parts.items() for k, v in net.state_dict().items()}, tmp_path / "my.pth"
    )
    if shutil.which("curl") is None:
        stand_in = tmp_path / "curl"
        stand_in.write_text(CURL.format(python=sys.executable))
        stand_in.chmod(0o755)
    return tmp_path


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def test_every_command_runs(place):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}:{place}"}
    port, server, ran = str(free_port()), None, []
    try:
        for line in commands("README.md"):
            if ELSEWHERE.fullmatch(line):
                continue
            command = line.replace("8000", port)
            if command.startswith("efemera serve"):
                end(server)
                server = subprocess.Popen(
                    command.split(), cwd=place, env=environment, stdout=subprocess.PIPE, text=True
                )
                assert f"http://127.0.0.1:{port}" in server.stdout.readline()
                continue
            done = subprocess.run(command, shell=True, cwd=place, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            if line.startswith("curl"):
                found = json.loads(done.stdout)
                assert found["predicted_price"] > 0 if "/predict" in line else found["model_version"]
            ran.append(line)
    finally:
        end(server)
    assert len(ran) >= 5
    reader, _ = python_blocks()
    done = subprocess.run([sys.executable, "-c", reader], cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"AAA .* mae +[0-9.]+", done.stdout), done.stdout


def test_the_python_shown_runs():
    _, code = python_blocks()
    with serving(ROOT / "models") as (address, _):
        done = subprocess.run(
            [sys.executable, "-c", code.replace("127.0.0.1:8000", address.removeprefix("http://"))],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("[[[")


def test_every_path_of_the_api_is_in_the_readme():
    from lambda_fn.api.handler import forecaster, routes

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in routes:
        last = path.replace(f"/versions/{forecaster.manifest.model_version}", "").rpartition("/")[2]
        assert f"/{last}" in text, path


def end(server):
    """Ctrl-C, and wait."""
    if server is not None:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=30)


def test_the_two_commands_come_first_and_exist():
    for readme in READMES:
        assert commands(readme)[:2] == ["make demo", "make test"]
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for command in {line for readme in READMES for line in commands(readme) if line.startswith("make ")}:
        assert command.split()[1] in targets


def test_the_portuguese_quick_start_has_the_same_commands():
    assert set(commands("README.pt-BR.md")) <= set(commands("README.md"))


def test_the_answer_shown_is_the_one_given():
    """The README's request, answered by the committed model: the numbers printed there are its."""
    from lambda_fn.api.forecast_response import forecast_one
    from lambda_fn.api.request_body import PredictRequest
    from lambda_fn.model.forecaster import Forecaster, Inference

    found = forecast_one(
        Inference(Forecaster(ROOT / "models")), PredictRequest([float(price) for price in range(41, 101)])
    )
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    low, high = found.steps[0].intervals["95"]
    assert f'"predicted_price": {found.predicted_price:.3f}' in text
    assert f'"95": [{low:.2f}, {high:.2f}]' in text
    assert f'"model_digest": "{found.model_digest}"' in text


def test_the_account_of_the_model_is_that_of_its_evaluation():
    evaluation = json.loads((ROOT / "models" / "evaluation.json").read_text(encoding="utf-8"))
    [methods] = [line["methods"] for line in evaluation["scores"] if (line["part"], line["step"]) == ("all", 1)]
    [test] = [
        line
        for line in evaluation["comparisons"]
        if (line["against"], line["measure"], line["step"]) == ("ewma", "pinball", 1)
    ]
    rows = re.findall(r"^\| (.*) \|$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M)
    told = {row.split(" | ")[0]: row.split(" | ")[1:] for row in rows}
    covers = [f"{100 * methods['efemera']['coverage'][level]['share']:.1f}%" for level in ("50", "80", "95")]
    ratio = f"**{test['ratio']:.3f}** [{test['low']:.3f}, {test['high']:.3f}]"
    assert told["**Efemera**"][0] == ratio
    assert told["**Efemera**"][2:] == covers
    assert told["**Efemera**"][1].startswith(f"{methods['efemera']['rel_mae']:.3f} ")
    for readme in READMES:
        text = (ROOT / readme).read_text(encoding="utf-8")
        assert f"`{evaluation['verdict']}`" in text
        assert f"{evaluation['cases']:,}".replace(",", "." if "pt" in readme else ",") in text


def test_every_file_and_link_it_names_is_there():
    for readme in (*READMES, "models/README.md"):
        text = (ROOT / readme).read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^):#]+)\)", text):
            assert (ROOT / readme).parent.joinpath(target).exists(), f"{readme}: {target}"
        for path in re.findall(r"`((?:tests|export|lambda_fn|infra|models)/[\w./-]*)`", text):
            assert (ROOT / path).exists(), f"{readme}: {path}"


def test_the_demo_does_the_main_job_and_touches_nothing_but_its_folder(tmp_path):
    before = {path.name: path.stat().st_mtime_ns for path in (ROOT / "models").iterdir()}
    done = subprocess.run(
        [sys.executable, "-m", "export", "demo", "--out", tmp_path / "demo", "--epochs", "1"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    for words in ("come with matplotlib", "epoch   1", "parity holds", "naive", "predicted_price"):
        assert words in said
    assert (tmp_path / "demo" / "forecast.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "demo" / "model" / "parity.json").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
    assert {path.name: path.stat().st_mtime_ns for path in (ROOT / "models").iterdir()} == before
