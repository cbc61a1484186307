"""Scale raw prices to the network's input, and its output back to prices, inside the graph.

Nothing here is fitted on data and nothing is stored beside the model: a `Scaling` is made of a window's own
numbers (`ewma`, `returns`) or of constants a checkpoint was trained with (`minmax`, `standard`, `none`).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from export.errors import InputError

EWMA_DECAY = 0.94  # RiskMetrics Technical Document (J.P. Morgan, 4th ed. 1996), daily data
SCALE_FLOOR = 1e-4  # one basis point a day: a window without movement has no volatility of its own
SCALE_CEILING = 1.0  # keeps exp() finite for windows no market has seen
INPUT_LIMIT = 8.0  # scaled returns beyond eight deviations say no more than eight do
FOREIGN_SCALINGS = "minmax:LOW,HIGH, standard:MEAN,STD, returns or none"  # of a network that was trained elsewhere


class ReturnScaling(nn.Module):
    """Log returns over the window's own volatility; the forecast is the last price times exp(head × scale).

    With `decay=None` the scale is 1: plain log returns in, a plain log return out.
    """

    weights: Tensor

    def __init__(self, window: int, decay: float | None) -> None:
        super().__init__()
        self.decay = decay
        age = torch.arange(window - 1, -1, -1, dtype=torch.float64)
        weights = (decay or 1.0) ** age
        weights[0] = 0.0  # day 0 has no return
        self.register_buffer("weights", weights / weights.sum(), persistent=False)

    def encode(self, prices: Tensor) -> tuple[Tensor, Tensor]:
        """Scale prices (batch, window) float64: input (batch, window) float64 and scale (batch, 1) float64."""
        previous = torch.cat([prices[:, :1], prices[:, :-1]], dim=1)  # (batch, window)
        returns = torch.log(prices / previous)  # (batch, window), the first one 0
        if self.decay is None:
            return returns, torch.ones_like(prices[:, :1])
        variance = (returns * returns * self.weights).sum(dim=1, keepdim=True)  # (batch, 1)
        scale = variance.sqrt().clamp(SCALE_FLOOR, SCALE_CEILING)  # (batch, 1)
        return (returns / scale).clamp(-INPUT_LIMIT, INPUT_LIMIT), scale

    def decode(self, head: Tensor, scale: Tensor, prices: Tensor) -> Tensor:
        """Turn the head (batch, horizon, quantiles) float64 into prices of the same shape, float64."""
        scaled = head if self.decay is None else head * scale.unsqueeze(-1)
        return torch.exp(scaled) * prices[:, -1:].unsqueeze(-1)


class AffineScaling(nn.Module):
    """(price − offset) / factor, with the constants a checkpoint was trained with."""

    def __init__(self, offset: float, factor: float) -> None:
        super().__init__()
        self.offset, self.factor = offset, factor

    def encode(self, prices: Tensor) -> tuple[Tensor, Tensor]:
        """Scale prices (batch, window) float64: input (batch, window) float64 and an unused scale (batch, 1)."""
        return (prices - self.offset) / self.factor, torch.ones_like(prices[:, :1])

    def decode(self, head: Tensor, scale: Tensor, prices: Tensor) -> Tensor:  # noqa: ARG002 - one signature
        """Turn the head (batch, horizon, quantiles) float64 into prices of the same shape, float64."""
        return head * self.factor + self.offset


Scaling = ReturnScaling | AffineScaling


def make_scaling(text: str, window: int) -> Scaling:
    """Build the scaling that `text` names: ewma, returns, none, minmax:LOW,HIGH or standard:MEAN,STD.

    Raises `InputError` naming the text.
    """
    name, _, numbers = text.partition(":")
    if name in ("minmax", "standard"):
        first, second = _two_numbers(text, numbers)
        if name == "minmax" and second <= first:
            raise InputError(f"scaling '{text}': HIGH must be above LOW")
        if name == "standard" and second <= 0:
            raise InputError(f"scaling '{text}': STD must be positive")
        return AffineScaling(first, second - first if name == "minmax" else second)
    if text == "ewma":
        return ReturnScaling(window, EWMA_DECAY)
    if text == "returns":
        return ReturnScaling(window, None)
    if text == "none":
        return AffineScaling(0.0, 1.0)
    raise InputError(f"scaling '{text}' is not one of ewma, returns, none, minmax:LOW,HIGH, standard:MEAN,STD")


def _two_numbers(text: str, numbers: str) -> tuple[float, float]:
    try:
        first, second = (float(part) for part in numbers.split(","))
    except ValueError:
        raise InputError(f"scaling '{text}': two numbers belong after the colon, as in minmax:3.5,42") from None
    if not (math.isfinite(first) and math.isfinite(second)):
        raise InputError(f"scaling '{text}': both numbers must be finite")
    return first, second
