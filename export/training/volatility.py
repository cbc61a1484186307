"""What a window says of tomorrow's volatility beyond its EWMA scale, as seven numbers that the head reads.

Old and well-tested regressors: volatility over several horizons (Corsi, A Simple Approximate Long-Memory Model of
Realized Volatility, 2009), mean absolute returns beside mean squares (Ding, Granger & Engle 1993), and falls apart from
rises (Glosten, Jagannathan & Runkle 1993). All are of scaled returns, so they know no price level.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

FEATURES = 7
LIMIT = 2.0  # on each feature: a window that no market has seen says no more than a wild one
TYPICAL_SCALE = 0.01  # 1% a day, where the feature of the level is 0
SMALLEST = 1e-2  # under a logarithm: windows almost without movement
SIZES = ((2, 1.0), (1, 0.87), (1, 0.94))  # power and decay of three means of |x|
FALLS = (0.87, 0.97)  # decays of two means of the squares of falls


class VolatilityFeatures(nn.Module):
    """Scaled returns (batch, window) float32 and scale (batch, 1) float64 → features (batch, 7) float32."""

    sizes: Tensor
    signed: Tensor
    centre: Tensor

    def __init__(self, window: int) -> None:
        super().__init__()
        age = torch.arange(window - 1, -1, -1, dtype=torch.float64)

        def weights(decay: float) -> Tensor:
            found = decay**age
            found[0] = 0.0  # day 0 has no return
            return found / found.sum()

        # Of the columns x, |x|, x², x|x|: (4 × window, ·). The square of a fall is (x² - x|x|) / 2, that of a rise 0.
        sizes, signed = torch.zeros(4, window, 3).double(), torch.zeros(4, window, 3).double()
        for column, (power, decay) in enumerate(SIZES):
            sizes[power, :, column] = weights(decay)
        for column, decay in enumerate(FALLS):
            signed[2, :, column], signed[3, :, column] = weights(decay) / 2, -weights(decay) / 2
        signed[0, -1, 2] = 0.5
        centre = torch.tensor([0.0, 0.0, 0.0, -math.log(TYPICAL_SCALE), -0.5, -0.5, 0.0])
        for name, values in (("sizes", sizes.reshape(-1, 3)), ("signed", signed.reshape(-1, 3)), ("centre", centre)):
            self.register_buffer(name, values.float(), persistent=False)

    def forward(self, x: Tensor, scale: Tensor) -> Tensor:
        """The features, each within ±`LIMIT`: logarithms of the window's mean square, of its mean absolute return over
        about a week and a month, and of the scale; its falls over as long, less a half; half the last return.
        """
        size = x.abs()
        powers = torch.cat([x, size, x * x, x * size], dim=1)  # (batch, 4 × window)
        sizes = (powers @ self.sizes).clamp_min(SMALLEST)  # (batch, 3)
        logarithms = torch.cat([sizes, scale.float()], dim=1).log()
        return (torch.cat([logarithms, powers @ self.signed], dim=1) + self.centre).clamp(-LIMIT, LIMIT)
