"""The guide's LSTM, made scale-free: raw prices in, price quantiles out, everything between in `forward`."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from export.training.config import Config
from export.training.scaling import make_scaling
from export.training.volatility import FEATURES, VolatilityFeatures

# One thread, for the sake of the bits: sums are ordered by the number of threads, so that a seed would mean another
# model on another machine. Two threads train 1.4 to 1.6 times as fast on two idle cores, and take several times
# as long as one when another process wants a core too (`make bench`): an LSTM's steps are small, so threads wait a lot.
torch.set_num_threads(1)

CELLS: dict[str, type[nn.LSTM] | type[nn.GRU] | type[nn.RNN]] = {
    "lstm": nn.LSTM,
    "gru": nn.GRU,
    "rnn": nn.RNN,
}


class Network(nn.Module):
    """LSTM 1 → hidden × layers from a zero state, its last hidden state, Linear, ordered quantiles.

    The widths of the quantiles follow the LSTM and, where returns are scaled by EWMA, the window's volatility features.
    With `head = "guide"` this is the study guide's network and nothing else: Linear(hidden, 1) read as the
    scaled log return, 31,051 parameters at the default sizes.
    """

    side: Tensor
    middle: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.scaling = make_scaling(config.scaling, config.window)
        self.lstm = CELLS[config.cell](1, config.hidden_size, config.layers, batch_first=True)
        if config.head == "guide":
            self.linear = nn.Linear(config.hidden_size, 1)
        else:
            self.linear = nn.Linear(config.hidden_size, config.horizon * 3)  # location, width below, width above
            nn.init.zeros_(self.linear.weight)  # starts as its base quantiles; only evidence moves it
            nn.init.zeros_(self.linear.bias)
            self.base_gaps = nn.Parameter(torch.zeros(config.horizon, len(config.quantiles) - 1))
            above = torch.arange(len(config.quantiles)) > config.median_index
            self.register_buffer("middle", torch.zeros(config.horizon, 1), persistent=False)
            self.register_buffer("side", above.long(), persistent=False)  # (quantiles,): 0 below, 1 above
        if config.reads_volatility:
            self.features = VolatilityFeatures(config.window)
            self.volatility = nn.Linear(FEATURES, config.horizon * 2, bias=False)
            nn.init.zeros_(self.volatility.weight)

    def forward(self, prices: Tensor) -> tuple[Tensor, Tensor]:
        """Closing prices (batch, window) float64, oldest first, any scale.

        Returns `predicted_price` (batch,), the median of step 1, and `quantiles` (batch, horizon, quantiles),
        both float64 prices.
        """
        head, scale = self.scaled(prices)
        quantiles = self.scaling.decode(head.double(), scale, prices)  # (batch, horizon, quantiles)
        return quantiles[:, 0, self.config.median_index], quantiles

    def scaled(self, prices: Tensor) -> tuple[Tensor, Tensor]:
        """The head before it becomes a price: (batch, horizon, quantiles) float32, and scale (batch, 1) float64."""
        inputs, scale = self.scaling.encode(prices)  # (batch, window), (batch, 1)
        x = inputs.float().unsqueeze(-1)  # (batch, window, 1)
        _, state = self.lstm(x)  # h0 = c0 = 0
        h = state[0] if self.config.cell == "lstm" else state  # (layers, batch, hidden)
        volatility = self.volatility(self.features(inputs.float(), scale)) if self.config.reads_volatility else None
        return self.head(self.linear(h[-1]), volatility), scale

    def head(self, raw: Tensor, volatility: Tensor | None) -> Tensor:
        """What Linear says (batch, outputs) as ordered quantiles (batch, horizon, quantiles), float32.

        `volatility` (batch, horizon × 2) is what its features add to the log widths.

        Quantile k of a step is location + offset_k × width, with one width below the median and one above it:
        the learned offsets rise through 0 at the median and widths are positive, so the answer rises.
        """
        if self.config.head == "guide":
            return raw.unsqueeze(-1)  # (batch, 1, 1)
        raw = raw.reshape(-1, self.config.horizon, 3)  # (batch, horizon, 3)
        location, log_width = raw[..., :1], raw[..., 1:]  # (batch, horizon, 1), (batch, horizon, 2)
        if volatility is not None:
            log_width = log_width + volatility.reshape(-1, self.config.horizon, 2)
        width = log_width.exp().index_select(-1, self.side)  # (batch, horizon, quantiles)
        return location + self.offsets() * width

    def offsets(self) -> Tensor:
        """The base quantiles less their median (horizon, quantiles): rising, 0 at the median."""
        gaps = nn.functional.softplus(self.base_gaps)  # (horizon, quantiles - 1)
        below, above = gaps[:, : self.config.median_index], gaps[:, self.config.median_index :]
        return torch.cat([-below.flip(-1).cumsum(-1).flip(-1), self.middle, above.cumsum(-1)], dim=-1)

    @torch.no_grad()
    def start_from(self, targets: Tensor) -> None:
        """Start as the quantiles of scaled training targets (windows, horizon): the median and the gaps."""
        if self.config.head == "guide":
            return
        # NumPy's quantile: torch's takes 16 million numbers at most
        base = torch.from_numpy(np.quantile(targets.cpu().double().numpy(), self.config.quantiles, axis=0).T)
        self.linear.bias.view(-1, 3)[:, 0] = base[:, self.config.median_index].float()  # base: (horizon, quantiles)
        gaps = base.diff(dim=-1).clamp_min(1e-3)
        self.base_gaps.copy_(torch.log(torch.expm1(gaps)))  # softplus inverted

    def parameter_count(self) -> int:
        """How many numbers training may change."""
        return sum(parameter.numel() for parameter in self.parameters())


def targets_of(network: Network, prices: Tensor, future: Tensor) -> Tensor:
    """What the head should have said: scaled cumulative log returns (batch, horizon), float32.

    `prices` (batch, window) and `future` (batch, horizon) are float64 closes. Only for scalings that read
    returns; the scale is the window's own, so no target knows another window.
    """
    _, scale = network.scaling.encode(prices)  # (batch, 1)
    return (torch.log(future / prices[:, -1:]) / scale).float()
