"""Recurrent cells of PyTorch with a chosen forget bias; their forget gates and what these keep."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from export.training.network import CELLS

Cell = nn.RNN | nn.GRU | nn.LSTM


def fresh(name: str, hidden: int, layers: int, seed: int, *, inputs: int = 1, forget_bias: float | None = None) -> Cell:
    """Make an untrained cell, `batch_first`; `forget_bias` is the sum of the LSTM's two biases of that gate."""
    torch.manual_seed(seed)
    cell = CELLS[name](inputs, hidden, layers, batch_first=True)
    if forget_bias is not None:
        gate = slice(hidden, 2 * hidden)  # PyTorch stacks input, forget, candidate, output
        with torch.no_grad():
            for layer in range(layers):
                getattr(cell, f"bias_ih_l{layer}")[gate] = forget_bias
                getattr(cell, f"bias_hh_l{layer}")[gate] = 0.0
    return cell


@torch.no_grad()
def forget_gates(lstm: nn.LSTM, x: Tensor) -> list[Tensor]:
    """Compute each layer's forget gate on each day, f_t = σ(W x_t + U h_{t-1} + b): (batch, days, hidden) a layer."""
    gate = slice(lstm.hidden_size, 2 * lstm.hidden_size)
    gates = []
    for layer in range(lstm.num_layers):
        weights = [getattr(lstm, f"{name}_l{layer}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        alone = nn.LSTM(x.shape[2], lstm.hidden_size, batch_first=True).to(x)
        for own, weight in zip(alone.parameters(), weights, strict=True):
            own.copy_(weight)
        hidden, _ = alone(x)  # (batch, days, hidden)
        before = torch.cat([torch.zeros_like(hidden[:, :1]), hidden[:, :-1]], dim=1)
        w_ih, w_hh, b_ih, b_hh = (weight[gate] for weight in weights)
        gates.append(torch.sigmoid(x @ w_ih.T + b_ih + before @ w_hh.T + b_hh))
        x = hidden
    return gates


def kept_after(forget: Tensor, lag: int) -> Tensor:
    """Compute the share of a cell state left `lag` days later, (batch, hidden): the product of the last gates."""
    return forget[:, forget.shape[1] - lag :].double().prod(dim=1)
