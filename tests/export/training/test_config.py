"""The configuration: what it takes, and what it says of what it does not take."""

import pytest

from export.commands.train import make_settings
from export.errors import InputError
from export.training.config import Config, make_config, read_toml


def test_defaults_are_the_guides_window_layers_and_units():
    config = Config()
    assert (config.window, config.layers, config.hidden_size, config.cell) == (60, 2, 50, "lstm")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"widow": 60}, "x.toml: unknown key 'widow'"),
        ({"window": "60"}, "x.toml: window: '60' is not of type int"),
        ({"window": True}, "x.toml: window: True is not of type int"),
        ({"window": 1}, "x.toml: window: 1 is not between 2 and 1000"),
        ({"learning_rate": "fast"}, "x.toml: learning_rate: 'fast' is not a number"),
        ({"learning_rate": 10**400}, "is not a number"),
        ({"learning_rate": float("nan")}, "x.toml: learning_rate: nan is not a number"),
        ({"cell": "transformer"}, "x.toml: cell: 'transformer' is not one of lstm, gru, rnn"),
        ({"quantiles": [0.1, 0.9]}, "must hold 0.5"),
        ({"quantiles": [0.5, 0.1, 0.9]}, "must rise"),
        ({"quantiles": [0.1, 0.5, 0.8]}, "symmetric"),
        ({"quantiles": "0.5"}, "is not a list of numbers"),
        ({"head": "guide", "horizon": 5}, "needs horizon = 1"),
        ({"loss": "mse"}, "'mse' fits the guide head only"),
        ({"validation_share": 0.5, "test_share": 0.5}, "at least a fifth"),
    ],
)
def test_a_wrong_setting_is_named_with_its_place_and_value(values, message):
    with pytest.raises(InputError) as error:
        make_config(values, "x.toml")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_the_guide_head_brings_its_horizon_and_quantile():
    config = make_config({"head": "guide"}, "flags")
    assert (config.horizon, config.quantiles) == (1, (0.5,))


def test_a_flag_wins_over_the_file(tmp_path):
    file = tmp_path / "train.toml"
    file.write_text("epochs = 3\nseed = 7\nquantiles = [0.1, 0.5, 0.9]\n")
    config = make_settings(file, {"epochs": 4})
    assert (config.epochs, config.seed, config.quantiles) == (4, 7, (0.1, 0.5, 0.9))


def test_quantiles_are_read_from_a_comma_separated_flag():
    assert make_settings(None, {"quantiles": "0.05,0.5,0.95"}).quantiles == (0.05, 0.5, 0.95)
    with pytest.raises(InputError, match="--quantiles: 'a,b' is not"):
        make_settings(None, {"quantiles": "a,b"})


@pytest.mark.parametrize("content", [b"epochs = ", b"\xff\xfe", b"seed = " + b"9" * 5001, b"a = " + b"[" * 3000])
def test_a_file_that_is_no_toml_is_named(tmp_path, content):
    file = tmp_path / "broken.toml"
    file.write_bytes(content)
    with pytest.raises(InputError, match="broken.toml: not a readable TOML file"):
        read_toml(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="none.toml: no such file"):
        read_toml(tmp_path / "none.toml")


def test_what_a_config_writes_it_reads_again():
    config = Config(horizon=3, quantiles=(0.1, 0.5, 0.9), seed=5)
    assert make_config(config.as_dict(), "again") == config
