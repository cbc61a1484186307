"""Configuration of a network and its training: a frozen dataclass, from flags or a TOML file."""

from __future__ import annotations

import dataclasses
import itertools
import math
import tomllib
from pathlib import Path
from typing import Any, get_args, get_type_hints

from export.errors import InputError

CELLS = ("lstm", "gru", "rnn")
HEADS = ("quantile", "guide")
LOSSES = ("pinball", "mse")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the network and of its training.

    The defaults are the guide's network (window 60, two layers of 50) with Efemera's quantile head.
    Raises `InputError` naming the key and the value when they do not fit together.
    """

    # the network
    window: int = 60  # closes read
    horizon: int = 5  # steps forecast: a trading week
    quantiles: tuple[float, ...] = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
    cell: str = "lstm"
    hidden_size: int = 50
    layers: int = 2
    head: str = "quantile"
    scaling: str = "ewma"
    # the training
    loss: str = "pinball"
    epochs: int = 30
    patience: int = 5  # epochs without a better validation loss before stopping
    batch_size: int = 512
    learning_rate: float = 5e-4
    weight_decay: float = 0.5
    averaging: float = 0.98  # of the weights kept: after a step, this much of the average stays; 0 keeps the last ones
    clip_norm: float = 1.0
    validation_share: float = 0.15  # of the sessions, the last ones before the test part
    test_share: float = 0.15  # of the sessions, the last ones
    seed: int = 0

    def __post_init__(self) -> None:
        for name, floor, ceiling in (
            ("window", 2, 1000),
            ("horizon", 1, 60),
            ("hidden_size", 1, 1024),
            ("layers", 1, 8),
            ("epochs", 0, 100_000),
            ("patience", 1, 100_000),
            ("batch_size", 1, 1_000_000),
            ("learning_rate", 1e-9, 10.0),
            ("weight_decay", 0.0, 10.0),
            ("averaging", 0.0, 0.9999),
            ("clip_norm", 1e-9, 1e9),
            ("validation_share", 0.01, 0.5),
            ("test_share", 0.0, 0.5),
            ("seed", 0, 2**31 - 1),
        ):
            value = getattr(self, name)
            if not floor <= value <= ceiling:
                raise InputError(f"{name}: {value!r} is not between {floor} and {ceiling}")
        for name, choices in (("cell", CELLS), ("head", HEADS), ("loss", LOSSES)):
            if getattr(self, name) not in choices:
                raise InputError(f"{name}: {getattr(self, name)!r} is not one of {', '.join(choices)}")
        self._check_quantiles()
        self._check_head()
        if self.validation_share + self.test_share > 0.8:
            raise InputError("validation_share + test_share: must leave at least a fifth of the sessions for training")

    def _check_quantiles(self) -> None:
        levels = self.quantiles
        ordered = all(low < high for low, high in itertools.pairwise(levels))
        if not levels or not ordered or not all(0 < level < 1 for level in levels):
            raise InputError(f"quantiles: {list(levels)} must rise, each between 0 and 1")
        mirrored = all(math.isclose(low + high, 1.0) for low, high in zip(levels, reversed(levels), strict=True))
        if 0.5 not in levels or not mirrored:
            raise InputError(f"quantiles: {list(levels)} must hold 0.5 and be symmetric around it")

    def _check_head(self) -> None:
        if self.head == "guide" and (self.horizon != 1 or self.quantiles != (0.5,)):
            raise InputError("head: 'guide' answers one number; it needs horizon = 1 and quantiles = [0.5]")
        if self.loss == "mse" and self.head != "guide":
            raise InputError("loss: 'mse' fits the guide head only; a quantile head is trained by 'pinball'")

    @property
    def reads_volatility(self) -> bool:
        """True if the widths of the quantiles follow the window's volatility features too."""
        return self.head == "quantile" and self.scaling == "ewma"

    @property
    def median_index(self) -> int:
        """Return the position of 0.5 among the quantiles."""
        return self.quantiles.index(0.5)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, as a TOML or JSON file holds them."""
        return {key: list(v) if isinstance(v, tuple) else v for key, v in dataclasses.asdict(self).items()}


def make_config(values: dict[str, Any], source: str) -> Config:
    """Build a `Config` from plain values; an unknown key or a wrong type is an `InputError` naming `source`."""
    types = get_type_hints(Config)
    settings: dict[str, Any] = {}
    for key, value in values.items():
        if key not in types:
            raise InputError(f"{source}: unknown key '{key}'; known are {', '.join(types)}")
        settings[key] = _convert(value, types[key], f"{source}: {key}")
    if settings.get("head") == "guide":
        settings.setdefault("horizon", 1)
        settings.setdefault("quantiles", (0.5,))
    try:
        return Config(**settings)
    except InputError as error:
        raise InputError(f"{source}: {error}") from None


def read_toml(path: Path) -> dict[str, Any]:
    """Read the keys of a TOML file; raises `InputError` naming the file."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError, RecursionError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        raise InputError(f"{path}: not a readable TOML file: {error}") from None


def _convert(value: Any, field: Any, place: str) -> Any:
    """Check `value` against the field's type; an int is taken for a float, nothing else is converted."""
    if get_args(field):  # the only generic field: tuple[float, ...]
        if not isinstance(value, (list, tuple)) or not all(_is_number(item) for item in value):
            raise InputError(f"{place}: {value!r} is not a list of numbers")
        return tuple(float(item) for item in value)
    if field is float and _is_number(value):
        return float(value)
    if field is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if field is str and isinstance(value, str):
        return value
    raise InputError(f"{place}: {value!r} is not {'a number' if field is float else 'of type ' + field.__name__}")


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < math.inf and abs(value) < 1e300
    )
