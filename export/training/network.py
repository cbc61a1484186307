"""The guide's LSTM, made scale-free: raw prices in, price quantiles out, everything between in `forward`."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from export.training.config import Config
from export.training.scaling import make_scaling

# One thread, for the sake of the bits: sums are ordered by the number of threads, so that a seed would mean another
# model on another machine. Two threads train 1.4 to 1.6 times as fast on two idle cores, and take several times
# as long as one when another process wants a core too (`make bench`): an LSTM's steps are small, so threads wait a lot.
torch.set_num_threads(1)

CELLS: dict[str, type[nn.LSTM] | type[nn.GRU] | type[nn.RNN]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}

FEATURES = 7
FEATURE_LIMIT = 2.0  # on each feature: a window that no market has seen says no more than a wild one
TYPICAL_SCALE = 0.01  # 1% a day, where the feature of the level is 0
SMALLEST_MEAN = 1e-2  # under a logarithm: windows almost without movement
MEANS = ((2, 1.0), (1, 0.87), (1, 0.94))  # power and decay of three means of |x|
FALLS = (0.87, 0.97)  # decays of two means of the squares of falls


class VolatilityFeatures(nn.Module):
    """Predictors of tomorrow's volatility beside the EWMA scale: seven numbers of a window's scaled returns.

    Volatility over several horizons (Corsi, A Simple Approximate Long-Memory Model of Realized Volatility, 2009), mean
    absolute returns beside mean squares (Ding, Granger & Engle 1993), and falls apart from rises (Glosten, Jagannathan
    & Runkle 1993). All are of scaled returns, so they know no price level.
    """

    sizes: Tensor
    signed: Tensor
    centre: Tensor

    def __init__(self, window: int) -> None:
        super().__init__()
        age = torch.arange(window - 1, -1, -1, dtype=torch.float64)

        def weights(decay: float) -> Tensor:
            shares = decay**age
            shares[0] = 0.0  # day 0 has no return
            return shares / shares.sum()  # (window,)

        # Of the columns x, |x|, x², x|x|: (4 × window, ·). The square of a fall is (x² - x|x|) / 2, that of a rise 0.
        sizes, signed = torch.zeros(4, window, 3).double(), torch.zeros(4, window, 3).double()
        for column, (power, decay) in enumerate(MEANS):
            sizes[power, :, column] = weights(decay)
        for column, decay in enumerate(FALLS):
            signed[2, :, column], signed[3, :, column] = weights(decay) / 2, -weights(decay) / 2
        signed[0, -1, 2] = 0.5
        centre = torch.tensor([0.0, 0.0, 0.0, -math.log(TYPICAL_SCALE), -0.5, -0.5, 0.0])
        for name, values in (("sizes", sizes.reshape(-1, 3)), ("signed", signed.reshape(-1, 3)), ("centre", centre)):
            self.register_buffer(name, values.float(), persistent=False)

    def forward(self, x: Tensor, scale: Tensor) -> Tensor:
        """Compute the features of scaled returns (batch, window) float32 and scale (batch, 1) float64.

        Returns (batch, 7) float32, each within ±`FEATURE_LIMIT`: logarithms of the window's mean square, of its mean
        absolute return over about a week and a month, and of the scale; its falls over as long, less a half; half the
        last return.
        """
        size = x.abs()
        powers = torch.cat([x, size, x * x, x * size], dim=1)  # (batch, 4 × window)
        sizes = (powers @ self.sizes).clamp_min(SMALLEST_MEAN)  # (batch, 3)
        logarithms = torch.cat([sizes, scale.float()], dim=1).log()  # (batch, 4)
        features = torch.cat([logarithms, powers @ self.signed], dim=1)  # (batch, 7)
        return (features + self.centre).clamp(-FEATURE_LIMIT, FEATURE_LIMIT)


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
        self.median_index, self.reads_volatility = config.median_index, config.reads_volatility
        self.scaling = make_scaling(config.scaling, config.window)
        self.lstm = CELLS[config.cell](1, config.hidden_size, config.layers, batch_first=True)
        if config.head == "guide":
            self.linear = nn.Linear(config.hidden_size, 1)
        else:
            self.linear = nn.Linear(config.hidden_size, config.horizon * 3)  # location, width below, width above
            nn.init.zeros_(self.linear.weight)  # starts as its base quantiles; only evidence moves it
            nn.init.zeros_(self.linear.bias)
            self.base_gaps = nn.Parameter(torch.zeros(config.horizon, len(config.quantiles) - 1))
            above = torch.arange(len(config.quantiles)) > self.median_index
            self.register_buffer("middle", torch.zeros(config.horizon, 1), persistent=False)
            self.register_buffer("side", above.long(), persistent=False)  # (quantiles,): 0 below, 1 above
        if self.reads_volatility:
            self.features = VolatilityFeatures(config.window)
            self.volatility = nn.Linear(FEATURES, config.horizon * 2, bias=False)
            nn.init.zeros_(self.volatility.weight)

    def forward(self, prices: Tensor) -> tuple[Tensor, Tensor]:
        """Forecast from closing prices (batch, window) float64, oldest first, any scale.

        Returns `predicted_price` (batch,), the median of step 1, and `quantiles` (batch, horizon, quantiles),
        both float64 prices.
        """
        head, scale = self.scaled(prices)
        quantiles = self.scaling.decode(head.double(), scale, prices)  # (batch, horizon, quantiles)
        return quantiles[:, 0, self.median_index], quantiles

    def scaled(self, prices: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the head's scaled log returns (batch, horizon, quantiles) float32 and scale (batch, 1) float64."""
        inputs, scale = self.scaling.encode(prices)  # (batch, window), (batch, 1)
        x = inputs.float().unsqueeze(-1)  # (batch, window, 1)
        _, state = self.lstm(x)  # h₀ = c₀ = 0
        h = state[0] if self.config.cell == "lstm" else state  # (layers, batch, hidden)
        volatility = None
        if self.reads_volatility:
            volatility = self.volatility(self.features(inputs.float(), scale))  # (batch, horizon × 2)
        return self.head(self.linear(h[-1]), volatility), scale  # (batch, horizon, quantiles), (batch, 1)

    def head(self, raw: Tensor, volatility: Tensor | None) -> Tensor:
        """Turn the Linear's output (batch, outputs) into ordered quantiles (batch, horizon, quantiles), float32.

        `volatility` (batch, horizon × 2) is added to the log widths.

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
        """Compute the base quantiles less their median (horizon, quantiles): rising, 0 at the median."""
        gaps = nn.functional.softplus(self.base_gaps)  # (horizon, quantiles - 1)
        below, above = gaps[:, : self.median_index], gaps[:, self.median_index :]
        return torch.cat([-below.flip(-1).cumsum(-1).flip(-1), self.middle, above.cumsum(-1)], dim=-1)

    def loss(self, prices: Tensor, future: Tensor) -> Tensor:
        """Mean pinball or squared error, in scaled log returns, of `prices` (batch, window) and the `future` closes
        (batch, horizon) after them.
        """
        head, scale = self.scaled(prices)  # (batch, horizon, quantiles), (batch, 1)
        target = scaled_targets(prices, future, scale).unsqueeze(-1)  # (batch, horizon, 1)
        if self.config.loss == "mse":
            return nn.functional.mse_loss(head, target)
        return pinball(head, target, torch.tensor(self.config.quantiles, device=head.device))

    @torch.no_grad()
    def start_from(self, targets: Tensor) -> None:
        """Set the base quantiles to those of the scaled training targets (windows, horizon)."""
        if self.config.head == "guide":
            return
        # NumPy's quantile: torch's takes 16 million numbers at most
        base = torch.from_numpy(np.quantile(targets.cpu().double().numpy(), self.config.quantiles, axis=0).T)
        self.linear.bias.view(-1, 3)[:, 0] = base[:, self.median_index].float()  # base: (horizon, quantiles)
        gaps = base.diff(dim=-1).clamp_min(1e-3)
        self.base_gaps.copy_(torch.log(torch.expm1(gaps)))  # softplus inverted

    def parameter_count(self) -> int:
        """Count trainable parameters."""
        return sum(parameter.numel() for parameter in self.parameters())


def scaled_targets(prices: Tensor, future: Tensor, scale: Tensor) -> Tensor:
    """Compute the head's targets: cumulative log returns after the last close over `scale`; (batch, horizon) float32.

    `prices` (batch, window) and `future` (batch, horizon) are float64 closes. Only for scalings that read
    returns; the scale (batch, 1) is the window's own, so no target knows another window.
    """
    return (torch.log(future / prices[:, -1:]) / scale).float()  # (batch, horizon)


def pinball(forecast: Tensor, target: Tensor, levels: Tensor) -> Tensor:
    """Mean pinball loss of quantile forecasts (…, quantiles) against targets (…, 1), at `levels` (quantiles,).

    max(q e, (q − 1) e) with e = target − forecast (Koenker & Bassett 1978).
    """
    error = target - forecast  # (…, quantiles)
    return torch.maximum(levels * error, (levels - 1) * error).mean()
