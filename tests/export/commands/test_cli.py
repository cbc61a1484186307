"""The command line: the whole path on a small table, and for a mistake one line and an exit code."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

from export.data.sample import made_market
from export.screen import price
from lambda_fn import __version__
from lambda_fn.model.forecaster import Forecaster


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A CSV of two made series, 200 closes each."""
    path = tmp_path_factory.mktemp("prices") / "prices.csv"
    days = np.arange("2021-01-01", "2021-07-20", dtype="datetime64[D]")
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["unique_id", "ds", "y"])
        for name, closes in zip(("AAA", "BBB"), made_market(2, len(days), seed=0), strict=True):
            writer.writerows([name, day, close] for day, close in zip(days, closes, strict=True))
    return path


SMALL = ("--hidden-size", "5", "--epochs", "1", "--batch-size", "32")


def test_the_version_is_the_packages(efemera):
    assert efemera("--version") == (0, f"efemera {__version__}\n", "")


@pytest.mark.slow
def test_the_whole_path_from_prices_to_a_forecast(efemera, table, tmp_path):
    run, model = tmp_path / "run", tmp_path / "model"
    code, _, err = efemera("train", "-p", table, "-o", run, *SMALL)
    assert code == 0
    assert "epoch   1" in err
    assert "best epoch" in err
    code, out, _ = efemera("export", "--checkpoint", run / "model_lstm.pth", "-p", table, "-o", model)
    assert code == 0
    assert "parity holds" in out
    assert "held out" in out
    assert "with a stirred Linear" in out
    code, out, _ = efemera("parity", "--model", model, "--json")
    assert code == 0
    assert json.loads(out)["worst"]["head"] < 1e-5
    code, out, _ = efemera("predict", "-p", table, "-m", model, "--json")
    assert code == 0
    forecasts = json.loads(out)["forecasts"]
    assert [found["id"] for found in forecasts] == ["AAA", "BBB"]
    with table.open() as file:
        closes = [float(row["y"]) for row in csv.DictReader(file) if row["unique_id"] == "BBB"]
    expected = Forecaster(model).quantiles(np.array([closes[-60:]]))[0, 0, 3]
    assert forecasts[1]["predicted_price"] == expected
    code, out, _ = efemera("predict", "-p", table, "-m", model, "--calendar", "weekdays", "--json")
    assert all(step["date"] > forecasts[0]["last_date"] for step in json.loads(out)["forecasts"][0]["steps"])
    code, _, err = efemera("predict", "-p", table, "-m", model, "--calendar", "B3")
    assert (code, "--calendar: 'B3' is not one of BVMF, XNYS, 24/7, weekdays" in err) == (2, True)
    code, out, _ = efemera("predict", "-p", table, "-m", model, "--id", "AAA", "--horizon", "2")
    assert code == 0
    assert "AAA" in out
    assert "BBB" not in out
    assert "+2" in out
    assert "+3" not in out


@pytest.mark.slow
def test_a_training_from_a_toml_file_can_be_interrupted_and_resumed(efemera, table, tmp_path, monkeypatch):
    settings, run = tmp_path / "small.toml", tmp_path / "run"
    settings.write_text("hidden_size = 5\nepochs = 2\nbatch_size = 32\n")

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("export.training.train._step", interrupt)
        code, _, err = efemera("train", "-p", table, "-o", run, "--config", settings)
    assert code == 130
    assert "--resume goes on" in err
    assert (run / "model_lstm.pth").exists()
    code, _, err = efemera("train", "-p", table, "-o", run, "--config", settings, "--resume")
    assert code == 0
    assert "epoch   2" in err


@pytest.mark.slow
def test_a_checkpoint_trained_elsewhere_is_exported_with_its_scaler(efemera, table, tmp_path):
    import torch
    from torch import nn

    lstm, linear = nn.LSTM(1, 4, 1), nn.Linear(4, 1)
    state = {f"lstm.{k}": v for k, v in lstm.state_dict().items()} | {
        f"linear.{k}": v for k, v in linear.state_dict().items()
    }
    torch.save(state, tmp_path / "my.pth")
    model = tmp_path / "model"
    code, out, _ = efemera("export", "--checkpoint", tmp_path / "my.pth", "--scaling", "minmax:5,300", "-o", model)
    assert code == 0
    assert "parity holds" in out
    code, out, _ = efemera("predict", "-p", table, "-m", model)
    assert code == 0
    assert "+1" in out
    code, _, err = efemera("export", "--checkpoint", tmp_path / "my.pth", "-o", tmp_path / "no")
    assert code == 2
    assert "say how prices were scaled" in err
    assert not (tmp_path / "no").exists()


@pytest.mark.slow
def test_a_name_with_brackets_is_shown_as_it_is(efemera, table, tmp_path, model):
    named = tmp_path / "[bold]prices.csv"
    named.write_text(table.read_text().replace("AAA", "[/x]").replace("BBB", "[red]B"))
    code, out, err = efemera("predict", "-p", named, "-m", model)
    assert code == 0, err
    assert "[/x]" in out
    assert "[red]B" in out
    code, _, err = efemera("predict", "-p", tmp_path / "[/none].csv", "-m", model)
    assert code == 2
    assert "[/none].csv: no such file" in err


def test_the_table_shows_the_last_close_as_naive_and_its_date(efemera, table, model):
    with table.open() as file:
        last = [row for row in csv.DictReader(file) if row["unique_id"] == "AAA"][-1]
    code, out, _ = efemera("predict", "-p", table, "-m", model, "--id", "AAA", "--json")
    found = json.loads(out)["forecasts"][0]
    assert code == 0
    assert found["naive_price"] == found["last_price"] == float(last["y"])
    assert found["last_date"] == last["ds"]
    _, out, _ = efemera("predict", "-p", table, "-m", model, "--id", "AAA")
    first = next(line for line in out.splitlines() if line.startswith("AAA")).split()
    assert first[1:4] == ["+1", price(float(last["y"])), price(found["predicted_price"])]
    assert last["ds"] in out


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (43.294, "43.294"),
        (1.14662, "1.1466"),
        (362.7149, "362.71"),
        (1234567.891, "1,234,567.89"),
        (1e-7, "1.0000e-07"),
    ],
)
def test_a_price_is_shown_to_five_digits_and_two_decimals(value, text):
    assert price(value) == text


@pytest.mark.slow
def test_output_that_can_not_be_written_is_one_line(table, model):
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "export", "predict", "-p", table, "-m", model, "--json"]
        buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        done = subprocess.run(command, env=buffered, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_user_s_mistake_is_one_line_exit_2_and_nothing_written(efemera, table, tmp_path):
    bad = tmp_path / "bad.csv"
    bad.write_text(table.read_text().replace("\nBBB,2021-02-03,", "\nBBB,2021-02-03,x"))
    out = tmp_path / "out"
    for arguments in (
        ("train", "-p", tmp_path / "none.csv", "-o", out),
        ("train", "-p", bad, "-o", out, *SMALL),
        ("train", "-p", table, "-o", out, "--window", "0"),
        ("train", "-p", table, "-o", out, "--cell", "transformer"),
        ("train", "-p", table, "-o", out, "--config", tmp_path / "none.toml"),
        ("train", "-p", table, "-o", out, "--window", "190"),
        ("export", "--checkpoint", tmp_path / "none.pth", "-o", out),
        ("predict", "-p", bad),
        ("predict", "-p", table, "--id", "AAAA"),
        ("predict", "-p", table, "--horizon", "9"),
        ("demo", "--out", table),
        ("export", "--checkpoint", tmp_path, "-o", out),
        ("export", "--checkpoint", bad, "--window", "60", "-o", out),
        ("train", "-p", table, "-o", out, "--learning-rate", "nan"),
        ("serve", "--port", "70000"),
        ("fly",),
    ):
        code, stdout, err = efemera(*arguments)
        assert code == 2, arguments
        assert stdout == "", arguments
        assert "Traceback" not in err, arguments
        assert not out.exists(), arguments
    code, _, err = efemera("train", "-p", bad, "-o", out, *SMALL)
    assert err.strip().splitlines() == [err.strip()]
    assert "bad.csv" in err
    assert "row" in err or "line" in err
    code, _, err = efemera("train", "-p", bad, "-o", out, "--skip-bad", *SMALL)
    assert code == 0
    assert "BBB" in err


@pytest.mark.parametrize(
    "arguments", [("parity", "--model"), ("predict", "-p", "TABLE", "--model"), ("serve", "--port", "0", "--model")]
)
def test_a_tampered_model_is_exit_3_and_names_the_file(efemera, table, tmp_path, model, arguments):
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    (folder / "golden.json").write_bytes(b"{}")
    for name in [name for name in sys.modules if name == "lambda_fn.api.handler"]:
        del sys.modules[name]  # the handler verifies its model when it is imported
    code, _, err = efemera(*[table if argument == "TABLE" else argument for argument in arguments], folder)
    assert code == 3
    assert "golden.json" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("command", ["demo", "train", "export", "parity", "predict", "serve"])
def test_each_command_s_help_holds_an_example(efemera, command):
    code, out, _ = efemera(command, "--help")
    assert code == 0
    assert f"efemera {command}" in out
    assert "Example:" in out


def test_without_a_command_it_shows_what_there_is(efemera):
    _, out, err = efemera()
    for command in ("demo", "train", "export", "parity", "predict", "serve"):
        assert command in out + err


@pytest.mark.slow
def test_ctrl_c_in_training_ends_with_130_and_a_model(table, tmp_path):
    """A real SIGINT to a real process, in the middle of an epoch."""
    command = [sys.executable, "-u", "-m", "export", "train", "-p", table, "-o", tmp_path / "run"]
    with subprocess.Popen(
        [*command, "--epochs", "500", "--patience", "500"], stderr=subprocess.PIPE, text=True
    ) as process:
        for line in process.stderr:
            if line.startswith("epoch   2"):
                break
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == 130
    assert "--resume goes on" in rest
    assert "Traceback" not in rest
    assert (tmp_path / "run" / "model_lstm.pth").exists()
