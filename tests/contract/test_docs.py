"""READMEs and docs: every command runs as pasted, links resolve, figures are those of the artefacts."""

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

from export.data.sample import sample_prices
from tests.export.data.b3.cotahist_records import content, record

ROOT = Path(__file__).parent.parent.parent
READMES = ("README.md", "README.pt-BR.md")
DOCS = tuple(sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))
LINKED = (*READMES, *DOCS, "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "infra/README.md", "models/README.md")
# One folder each, as for a reader who comes to a page from elsewhere; the README leads on to the page of the model.
TOURS = (
    ("README.md", "docs/your-own-model.md"),
    *((page,) for page in DOCS if page != "docs/your-own-model.md"),
)
# What other runs cover: each target is run by .ci/run, a fresh clone or the docker tests; deploying needs an account,
# and Yahoo a network. tests/infra/test_signed_curl.py runs the signed curl, tests/export/lab/test_lab_command.py the
# laboratory.
ELSEWHERE = re.compile(
    r"make (demo|test|build|(deploy|rollback) ENV=dev)$|efemera data yahoo .*$|curl --aws-sigv4 .*$|"
    r"sam local invoke ApiFunction -e tests/events/predict\.json$|efemera lab --fast --out lab$"
)
CURL = """#!{python}
import sys, urllib.request
url, header, body = (*sys.argv[2::2], None, None)[:3]
headers = dict([header.split(": ")]) if header else {{}}
print(urllib.request.urlopen(urllib.request.Request(url, body and body.encode(), headers)).read().decode())
"""  # for machines without curl: what `curl -s URL -H HEADER -d BODY` and `curl -s URL` do


def text_of(page: str) -> str:
    """Read a page."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str) -> list[tuple[str, str]]:
    """List a page's code blocks: language and content."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", text_of(page), re.DOTALL | re.MULTILINE)


def commands(page: str) -> list[str]:
    """List the lines of a page's ```sh blocks."""
    return [line for kind, block in blocks(page) if kind == "sh" for line in block.splitlines() if line]


def headings(page: str) -> list[tuple[int, str]]:
    """List a page's headings: level and words."""
    outside = re.sub(r"^```.*?^```$", "", text_of(page), flags=re.DOTALL | re.MULTILINE)
    return [(len(marks), words) for marks, words in re.findall(r"^(#+) (.*)$", outside, re.MULTILINE)]


def anchors(page: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    return {re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-") for _, words in headings(page)}


class Reader:
    """Someone who pastes what a page shows into a terminal: a folder, a shell, one server at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port, self.server = folder, str(free_port()), None
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}:{folder}"
        self.environment = {**os.environ, "PATH": path, "COLUMNS": "120"}
        self.pasted: set[str] = set()

    def read(self, page: str) -> None:
        """Run each block in its order; a ```text block is what the block before it prints, but for lines with …"""
        printed = ""
        for kind, block in blocks(page):
            if kind == "sh":
                for line in block.splitlines():
                    printed = self.paste(line, page)
            elif kind == "python":
                printed = self.run([sys.executable, "-c", block.replace("8000", self.port)], page)
            elif kind == "text":
                shown = {line.strip() for line in block.splitlines() if "…" not in line}
                assert shown <= {line.strip() for line in printed.splitlines()}, f"{page}: {printed}"

    def paste(self, line: str, page: str) -> str:
        """Run one command, unless it ran before or elsewhere; what it prints."""
        if not line or ELSEWHERE.fullmatch(line):
            return ""
        command = line.replace("8000", self.port)
        if command.startswith("efemera serve"):
            self.end()
            self.server = subprocess.Popen(
                command.split(), cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, text=True
            )
            assert f"http://127.0.0.1:{self.port}" in self.server.stdout.readline()
            return ""
        if line in self.pasted and not line.startswith("curl"):
            return ""
        self.pasted.add(line)
        printed = self.run(["bash", "-c", command], page)
        if line.startswith("curl"):
            answer = json.loads(printed)
            assert answer.get("predicted_price", 1) > 0
            assert answer["model_version"]
        return printed

    def run(self, command: list[str], page: str) -> str:
        """Run to the end, which must be a good one."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{page}: {command[-1]}\n{done.stdout}{done.stderr}"
        return done.stdout

    def end(self) -> None:
        """Press Ctrl-C at the server, and wait."""
        if self.server is not None:
            self.server.send_signal(signal.SIGINT)
            self.server.communicate(timeout=30)
            self.server = None


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


@pytest.fixture
def reader(tmp_path):
    """A reader in a clone with its environment, and with what B3 would have sent."""
    for name in ("models", "docs"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "activate").write_text(f"PATH={Path(sys.executable).parent}:$PATH\n")
    with zipfile.ZipFile(tmp_path / "COTAHIST_A2024.ZIP", "w") as archive:
        archive.writestr("COTAHIST_A2024.TXT", content([record("PETR4", 3618), record("VALE3", 6063)]))
    [actions] = [block for kind, block in blocks("docs/data.md") if kind == "csv"]
    (tmp_path / "actions.csv").write_text(actions)
    if shutil.which("curl") is None:
        stand_in = tmp_path / "curl"
        stand_in.write_text(CURL.format(python=sys.executable))
        stand_in.chmod(0o755)
    reader = Reader(tmp_path)
    yield reader
    reader.end()


@pytest.mark.parametrize("pages", TOURS, ids=lambda pages: Path(pages[-1]).stem)
def test_what_a_page_shows_runs_as_pasted(reader, pages):
    for page in pages:
        reader.read(page)
        reader.end()


@pytest.mark.parametrize("page", DOCS)
def test_each_page_opens_with_something_to_run(page):
    kinds = [kind for kind, _ in blocks(page)]
    assert kinds[0] in ("sh", "python")
    second = text_of(page).find("\n## ")
    assert 0 < text_of(page).find("```") < second


def test_the_readme_is_short_and_leads_to_every_page():
    text = text_of("README.md")
    assert len(text.splitlines()) <= 180
    assert {f"docs/{Path(page).name}" for page in DOCS} <= set(re.findall(r"\]\(([^)#]+)[^)]*\)", text))


def test_both_readmes_have_the_same_outline_and_the_same_commands():
    english, portuguese = READMES
    assert [level for level, _ in headings(portuguese)] == [level for level, _ in headings(english)]
    assert commands(portuguese) == commands(english)
    assert set(re.findall(r"\]\(([^)]+)\)", text_of(portuguese))) - set(READMES) == (
        set(re.findall(r"\]\(([^)]+)\)", text_of(english))) - set(READMES)
    )
    opening = text_of(portuguese).partition("\n## ")[0]
    assert '{"prices": […]}` → `{"predicted_price": …}' in opening


def test_the_two_commands_come_first_and_every_target_exists():
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    for page in (*READMES, *DOCS):
        named = re.findall(r"\bmake ([a-z][a-z-]+)", "\n".join(re.findall(r"`[^`\n]+`", text_of(page))))
        assert {*named, *(line.split()[1] for line in commands(page) if line.startswith("make "))} <= targets
    for readme in READMES:
        assert commands(readme)[:2] == ["make demo", "make test"]


@pytest.mark.parametrize("page", LINKED)
def test_every_file_and_link_it_names_is_there(page):
    folder = (ROOT / page).parent
    for target, anchor in re.findall(r"\]\(([^):#]*)#?([^):]*)\)", text_of(page)):
        file = folder / target if target else ROOT / page
        assert file.exists(), f"{page}: {target}"
        if anchor:
            assert anchor in anchors(str(file.resolve().relative_to(ROOT))), f"{page}: {target}#{anchor}"
    for path in re.findall(r"`((?:docs|tests|export|lambda_fn|infra|models)/[\w./-]*)`", text_of(page)):
        assert (ROOT / path).exists(), f"{page}: {path}"


def test_the_prices_of_the_docs_are_a_simulated_market():
    [(words, end)] = re.findall(
        r"`efemera (data sample --series \d+ --days \d+ --seed \d+) --end ([\d-]+) --out", text_of("docs/data.md")
    )
    series, days, seed = map(int, re.findall(r"\d+", words))
    made = sample_prices(series, days, seed, "BVMF", np.datetime64(end))
    rows = [line.split(",") for line in text_of("docs/prices.csv").splitlines()]
    assert rows.pop(0) == ["unique_id", "ds", "y"]
    assert [row[:2] for row in rows] == [
        [name, str(day)] for name, day in zip(np.repeat(made.ids, days), made.ds, strict=True)
    ]
    np.testing.assert_allclose([float(close) for _, _, close in rows], made.y, atol=0.0051)


def test_every_path_of_the_api_is_on_its_page():
    from lambda_fn.api.handler import forecaster, routes

    for path in routes:
        last = path.replace(f"/versions/{forecaster.manifest.model_version}", "").rpartition("/")[2]
        assert f"/{last}" in text_of("docs/api.md"), path


@pytest.mark.parametrize("page", [*READMES, "docs/api.md"])
def test_the_answer_shown_is_the_one_given(page):
    """The request shown, answered by the committed model: the numbers printed there are its."""
    from lambda_fn.api.handler import handler

    context = {"http": {"method": "POST", "path": "/predict"}, "stage": "$default"}
    body = json.dumps({"prices": list(range(41, 101))})
    event = {"version": "2.0", "rawPath": "/predict", "headers": {}, "body": body, "requestContext": context}
    found = json.loads(handler(event, None)["body"])
    low, high = found["steps"][0]["intervals"]["95"]
    assert f'"predicted_price": {found["predicted_price"]:.3f}' in text_of(page)
    assert f'"95": [{low:.2f}, {high:.2f}]' in text_of(page)
    assert f'"model_digest": "{found["model_digest"]}"' in text_of(page)


def test_the_account_of_the_model_is_that_of_its_evaluation():
    evaluation = json.loads(text_of("models/evaluation.json"))
    [methods] = [line["methods"] for line in evaluation["scores"] if (line["part"], line["step"]) == ("all", 1)]
    spread, price = (
        next(
            line
            for line in evaluation["comparisons"]
            if (line["against"], line["measure"], line["step"]) == (against, measure, 1)
        )
        for against, measure in (("ewma", "pinball"), ("naive", "absolute error"))
    )
    cover = {level: f"{100 * methods['efemera']['coverage'][level]['share']:.1f}%" for level in ("50", "80", "95")}
    loss = f"**{spread['ratio']:.3f}** [{spread['low']:.3f}, {spread['high']:.3f}]"
    error = f"{price['ratio']:.3f} [{price['low']:.3f}, {price['high']:.3f}]"
    assert price["ratio"] == pytest.approx(methods["efemera"]["rel_mae"])
    row = f"| **Efemera** | {loss} | {error} | {cover['50']} | {cover['80']} | {cover['95']} |"
    assert row in text_of("docs/how-good.md").splitlines()
    for page in (*READMES, "docs/how-good.md"):
        text = text_of(page)
        if "pt" in page:
            text = re.sub(r"(?<=\d)[.,](?=\d)", lambda mark: ",."[mark[0] == ","], text)  # 1.234,5 → 1,234.5
        cells = [f" {figure} |" for figure in (loss, error, cover["80"], cover["95"])]
        for shown in (f"`{evaluation['verdict']}`", f"{evaluation['cases']:,}", *cells):
            assert shown in text, f"{page}: {shown}"


def test_what_an_idle_stack_costs_is_the_same_everywhere():
    [month] = re.findall(r"With nobody asking, ([\d.]+) dollars a month", text_of("infra/README.md"))
    assert f"costs {month} dollars a month" in text_of("README.md")
    assert f"custa {month.replace('.', ',')} dólares por mês" in text_of("README.pt-BR.md")
    assert f"costs {month} a month" in text_of("docs/numbers.md")


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
