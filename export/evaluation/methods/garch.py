"""GARCH(1,1) baseline with Student-t innovations: fitted by `arch`, filtered forward, simulated beyond a day."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from collections.abc import Sequence

import numpy as np
from scipy.signal import lfilter
from scipy.special import stdtrit
from scipy.stats import qmc

from export.data.prices import Prices
from export.evaluation.cases import Array, Cases, Fold, Forecast
from export.evaluation.methods.simple import SIGMA_FLOOR, stretches_of

PERCENT = 100.0  # returns are fitted in percent, where the optimiser of `arch` is well conditioned
LONGEST = 2_500  # returns of a fit, about ten years: bounds its time to some 20 ms
# Of a simulation, each with its mirror image: quantiles within 0.5% of the limit (root mean square), in 15 ms.
PATHS = 2**14
GRID = np.geomspace(0.1, 30, 7)  # starting variances of the simulation, × the mean square of the returns fitted on


@dataclasses.dataclass(frozen=True)
class Garch:
    """r_t = mu + e_t, e_t = s_t z_t, z_t ~ t(df) with variance 1, s²_t = omega + alpha e²_{t-1} + beta s²_{t-1}.

    Bollerslev (1987), "A Conditionally Heteroskedastic Time Series Model for Speculative Prices and Rates of
    Return"; r in percent.
    """

    mu: float
    omega: float
    alpha: float
    beta: float
    df: float

    @property
    def unit(self) -> float:
        """Factor that turns a draw of t(df) into one with variance 1."""
        return float(np.sqrt((self.df - 2) / self.df))


@dataclasses.dataclass(frozen=True)
class FitCounts:
    """Counts of how the parameters of each series and fold were found; those of several series add up."""

    fitted: int = 0
    kept: int = 0  # of the last fold with a fit, as this one was refused
    targeted: int = 0  # by variance targeting, as there was no such fold either

    def __add__(self, other: FitCounts) -> FitCounts:
        """Add both."""
        return FitCounts(self.fitted + other.fitted, self.kept + other.kept, self.targeted + other.targeted)

    def note(self) -> str:
        """Describe the fits in one line for the report."""
        total = self.fitted + self.kept + self.targeted
        return (
            f"GARCH: {total} fits; {self.kept + self.targeted} did not converge or were not stationary: "
            f"{self.kept} took the parameters of the fold before, {self.targeted} variance targeting"
        )


def garch(prices: Prices, cases: Cases, folds: Sequence[Fold], levels: Sequence[float]) -> tuple[Forecast, FitCounts]:
    """Forecast the quantiles of GARCH(1,1)-t, fitted on each series for each fold, and count the fits.

    The parameters are those of the fold; the variance follows every return up to the cutoff; the median is step × mu.
    """
    quantiles = np.full((len(cases), cases.horizon, len(levels)), np.nan)
    median = np.full((len(cases), cases.horizon), np.nan)
    counts = FitCounts()
    for log, stretches in stretches_of(prices, cases, folds):
        returns = PERCENT * np.diff(log)  # (closes - 1,), the first one after close 0
        fitted: Garch | None = None  # the last fit that was not refused
        for stretch in stretches:
            first = max(0, stretch.known - 1 - LONGEST)
            sample = returns[first : stretch.known - 1]
            if fit := fit_garch(sample):
                fitted = fit
            counts += FitCounts(fitted=bool(fit), kept=not fit and bool(fitted), targeted=not fitted)
            parameters = fitted or targeted_garch(sample)
            until = int(stretch.cutoffs.max())
            variance = filter_variance(parameters, returns[first:until], backcast(sample))[stretch.cutoffs - first]
            grid = GRID * max(float(np.mean(sample**2)), (PERCENT * SIGMA_FLOOR) ** 2)
            quantiles[stretch.cases] = step_quantiles(parameters, variance, grid, cases.horizon, levels) / PERCENT
            median[stretch.cases] = np.arange(1, cases.horizon + 1) * parameters.mu / PERCENT
    return Forecast(median, quantiles), counts


def fit_garch(returns: Array) -> Garch | None:
    """Fit to returns in percent by maximum likelihood; None where it does not converge or is not stationary."""
    from arch import arch_model  # takes a second to import

    if returns.std() < PERCENT * SIGMA_FLOOR:
        return None
    with warnings.catch_warnings():  # `arch` also changes the filters itself
        warnings.simplefilter("ignore", RuntimeWarning)  # the optimiser may try parameters that overflow
        model = arch_model(returns, mean="Constant", vol="GARCH", p=1, q=1, dist="t", rescale=False)
        result = model.fit(disp="off", show_warning=False)
    fit = Garch(*(float(value) for value in np.asarray(result.params)))
    # At alpha + beta = 1, where a fifth of real fits end, the process is still strictly stationary (Nelson, 1990).
    stationary = fit.alpha + fit.beta < 1 + 1e-6  # the optimiser keeps the bound to its own precision
    return fit if result.convergence_flag == 0 and stationary else None


def targeted_garch(returns: Array) -> Garch:
    """Set parameters as daily prices often have them, around the sample's own mean and variance (in percent)."""
    alpha, beta, df = 0.09, 0.89, 4.7  # medians of 229 fits to 14 real series
    variance = max(returns.var(), (PERCENT * SIGMA_FLOOR) ** 2)
    return Garch(float(returns.mean()), float(variance) * (1 - alpha - beta), alpha, beta, df)


def backcast(returns: Array) -> float:
    """Estimate the variance before the first return as `arch` does: of the first 75, with weights that fall by 0.94."""
    first = (returns - returns.mean())[:75]
    return float(np.average(first**2, weights=0.94 ** np.arange(len(first))))


def filter_variance(parameters: Garch, returns: Array, before: float) -> Array:
    """Filter the variance of each return given those before it, and of the one that follows: (returns + 1,), percent².

    `before` is the variance, and the squared shock, before the first return. No lower than `SIGMA_FLOOR`².
    """
    squares = np.concatenate([[before], (returns - parameters.mu) ** 2])  # (returns + 1,)
    variance, _ = lfilter(
        [1.0], [1.0, -parameters.beta], parameters.omega + parameters.alpha * squares, zi=[parameters.beta * before]
    )
    return np.asarray(np.maximum(variance, (PERCENT * SIGMA_FLOOR) ** 2))


def step_quantiles(parameters: Garch, variance: Array, grid: Array, horizon: int, levels: Sequence[float]) -> Array:
    """Compute quantiles of the return over 1 … `horizon` days by next day's variance: (variance, horizon, levels).

    Step 1 is exact. Later steps are simulated from each variance of `grid`, rising; between them the quantile
    in units of the exact standard deviation is interpolated in the logarithm of the variance, beyond them held.
    """
    table = _standardised(parameters, grid, horizon, np.asarray(levels))  # (grid, horizon, levels)
    deviation = _deviation(parameters, variance, horizon)  # (variance, horizon)
    quantiles = np.empty((len(variance), horizon, len(levels)))
    for step in range(horizon):
        for index in range(len(levels)):
            quantiles[:, step, index] = np.interp(np.log(variance), np.log(grid), table[:, step, index])
    return np.arange(1, horizon + 1)[:, None] * parameters.mu + deviation[:, :, None] * quantiles


def _deviation(parameters: Garch, variance: Array, horizon: int) -> Array:
    """Compute the standard deviation of the return over 1 … `horizon` days: (variance, horizon).

    Shocks are uncorrelated, so variances add; each expected one is omega + (alpha + beta) × the one before.
    """
    expected = np.empty((len(variance), horizon))
    for step in range(horizon):
        expected[:, step] = variance
        variance = parameters.omega + (parameters.alpha + parameters.beta) * variance
    return np.sqrt(np.cumsum(expected, axis=1))


def _standardised(parameters: Garch, grid: Array, horizon: int, levels: Array) -> Array:
    """Simulate quantiles of the return over 1 … `horizon` days, less its mean, in standard deviations.

    Returns (grid, horizon, levels).

    The innovations, hence every sum of shocks, are symmetric around 0: the quantile at level p is that of the
    sum's size at level |2p - 1|, with the sign of p - 1/2.
    """
    log_uniforms, cosines = _random_points(horizon)
    # Bailey (1994), "Polar Generation of Random Variates with the t-Distribution", the same points for every variance.
    shocks = np.sqrt((parameters.df - 2) * np.expm1(-2 / parameters.df * log_uniforms)) * cosines  # (horizon, paths)
    sign, size_level = np.sign(2 * levels - 1), np.abs(2 * levels - 1)
    deviation = _deviation(parameters, grid, horizon)  # (grid, horizon)
    quantiles = np.empty((len(grid), horizon, len(levels)))
    quantiles[:, 0] = parameters.unit * stdtrit(parameters.df, levels)
    variance, total = np.repeat(grid[:, None], PATHS, axis=1), np.zeros((len(grid), PATHS))
    for step in range(horizon):
        shock = np.sqrt(variance) * shocks[step]
        total += shock
        variance = parameters.omega + parameters.alpha * shock**2 + parameters.beta * variance
        if step:
            sizes = np.quantile(np.abs(total), size_level, axis=1).T  # (grid, levels)
            quantiles[:, step] = sign * sizes / deviation[:, step, None]
    return quantiles


@functools.lru_cache(maxsize=4)
def _random_points(horizon: int) -> tuple[Array, Array]:
    """Draw ln U and cos(2 pi V) of scrambled Sobol points, the same for every fit: (horizon, PATHS) each."""
    points = qmc.Sobol(2 * horizon, rng=np.random.default_rng(0)).random_base2(int(np.log2(PATHS))).T
    # A scrambled point can be 0, whose logarithm is infinite.
    return np.log(np.maximum(points[:horizon], 1e-10)), np.cos(2 * np.pi * points[horizon:])
