"""The losses a network is trained on, in units of scaled log returns."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from export.training.network import Network, targets_of


def loss_of(network: Network, closes: Tensor, rows: Tensor) -> Tensor:
    """Mean loss over the windows that start at `rows` (batch,) of `closes` (all rows,): pinball or squared error."""
    window, horizon = network.config.window, network.config.horizon
    cut = cut_windows(closes, rows, window + horizon)  # (batch, window + horizon)
    prices, future = cut[:, :window], cut[:, window:]
    head, _ = network.scaled(prices)  # (batch, horizon, quantiles)
    target = targets_of(network, prices, future).unsqueeze(-1)  # (batch, horizon, 1)
    if network.config.loss == "mse":
        return nn.functional.mse_loss(head, target)
    return pinball(head, target, torch.tensor(network.config.quantiles, device=head.device))


def pinball(forecast: Tensor, target: Tensor, levels: Tensor) -> Tensor:
    """Mean pinball loss of quantile forecasts (…, quantiles) against targets (…, 1), at `levels` (quantiles,).

    max(q e, (q − 1) e) with e = target − forecast (Koenker & Bassett 1978).
    """
    error = target - forecast
    return torch.maximum(levels * error, (levels - 1) * error).mean()


def cut_windows(closes: Tensor, rows: Tensor, length: int) -> Tensor:
    """The `length` closes from each of `rows` (batch,) on; (batch, length) float64."""
    return closes[rows.unsqueeze(1) + torch.arange(length, device=rows.device)]
