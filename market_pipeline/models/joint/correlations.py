"""Correlations of the symbols' session returns as of an origin, each as loadings on common factors.

All are about zero. A pair is compared at the sessions at which both have a return. Knows returns; no prices, no draws.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from market_pipeline.models.features.returns import session_returns
from market_pipeline.models.features.volatility import ewma_volatility
from market_pipeline.prices.adjustment import last_known
from market_pipeline.prices.history import History
from market_pipeline.storage.grids import Grid, Mask

WINDOW = 500
"""Sessions up to the origin that the recent correlations use."""

HALF_LIFE = 250
"""Half-life in sessions of the exponentially weighted correlations."""

FACTORS = 5
"""Principal factors."""

EXTREME = 6.0
"""Return, in units of its volatility, at which it is cut off: one shock is not a correlation."""

LEAST_SPECIFIC = 0.01
"""Lower limit of the share of a symbol's variance that the factors leave to itself."""

LEAST_EIGENVALUE = 1e-7
"""Of a matrix of correlations, which equal symbols have at 0."""

Returns: TypeAlias = tuple[Grid, Mask]
"""Returns (symbols, sessions), 0 where there is none, and where there is one."""


@dataclass(frozen=True)
class Dependence:
    """Correlated standard values: loadings x factors + specific x a value of the symbol's own; variance 1 each."""

    loadings: Grid
    """(symbols, factors)."""
    specific: Grid | None
    """(symbols,); None for zero."""


def in_units_of_volatility(history: History) -> Grid:
    """Each return divided by the volatility that was known the session before; (symbols, sessions), NaN without."""
    known = last_known(ewma_volatility(history), before=True)
    scaled: Grid = np.clip(session_returns(history) / known, -EXTREME, EXTREME)
    return scaled


def constant(returns: Grid) -> Grid:
    """Plain correlations of all `returns` (symbols, sessions); (symbols, symbols)."""
    return _correlation(_known(returns))


def weighted(returns: Grid) -> Grid:
    """Exponentially weighted correlations of the last WINDOW returns (RiskMetrics 1996, ch. 5)."""
    values, known = _known(returns[:, -WINDOW:])
    weights = 0.5 ** (np.arange(values.shape[1])[::-1] / HALF_LIFE)
    return _correlation((values, known), weights)


def shrunk(returns: Grid) -> Grid:
    """Correlations of the last WINDOW returns, shrunk to none as far as their error asks (Ledoit & Wolf 2004)."""
    from sklearn.covariance import ledoit_wolf_shrinkage

    values, known = _known(returns[:, -WINDOW:])
    spread = np.sqrt((values**2).sum(axis=1) / known.sum(axis=1))
    share = float(ledoit_wolf_shrinkage((values / spread[:, None]).T, assume_centered=True))
    found = _correlation((values, known))
    found *= 1 - share
    np.fill_diagonal(found, 1.0)
    return found


def factors(returns: Grid) -> Dependence:
    """The FACTORS principal factors of the last WINDOW returns; what they leave is each symbol's own.

    Never a matrix of symbols x symbols, so thousands of symbols fit. A symbol's loadings are its correlations with the
    factors at its own sessions.
    """
    values, known = _known(returns[:, -WINDOW:])
    found = _principal(values / np.sqrt((values**2).sum(axis=1) / known.sum(axis=1))[:, None])
    loadings = (values @ found.T) / np.sqrt((values**2).sum(axis=1)[:, None] * (known.astype(float) @ (found**2).T))
    shared = (loadings**2).sum(axis=1)
    loadings *= np.sqrt(np.minimum(1.0, (1 - LEAST_SPECIFIC) / np.maximum(shared, 1e-12)))[:, None]
    own = np.sqrt(1 - (loadings**2).sum(axis=1))
    return Dependence(np.asarray(loadings, np.float64), np.asarray(own, np.float64))


def triangular(correlation: Grid) -> Dependence:
    """A matrix of correlations as loadings: its Cholesky factor, or that of a possible matrix close to it."""
    try:
        factor = np.linalg.cholesky(correlation)
    except np.linalg.LinAlgError:
        factor = np.linalg.cholesky(_possible(correlation))
    return Dependence(np.asarray(factor, np.float64), None)


def _possible(correlation: Grid) -> Grid:
    """The correlations with eigenvalues of LEAST_EIGENVALUE at least, and variances of 1 again.

    Pairs that are compared at different sessions may contradict each other: those of a symbol listed in a crisis, and
    those of all others over ten years. Spectral decomposition of Rebonato & Jäckel (1999), "The most general
    methodology to create a valid correlation matrix for risk management and option pricing purposes".
    """
    from scipy.linalg import eigh

    values, vectors = eigh(correlation, subset_by_value=(-np.inf, LEAST_EIGENVALUE))
    raised = correlation + (vectors * (LEAST_EIGENVALUE - values)) @ vectors.T
    spread = np.sqrt(np.diag(raised))
    raised /= spread[:, None]
    raised /= spread
    possible: Grid = raised
    return possible


def _known(returns: Grid) -> Returns:
    known = np.isfinite(returns)
    if not known.all():  # the first session has no return: without it, most markets have no hole at all
        seen = known.any(axis=0)
        returns, known = returns[:, seen], known[:, seen]
    return np.where(known, returns, 0.0), known


def _correlation(returns: Returns, weights: Grid | None = None) -> Grid:
    values, known = returns
    counted = values if weights is None else values * weights
    found: Grid = counted @ values.T
    if known.all():
        spread = np.sqrt(np.diag(found))
        found /= spread[:, None]
        found /= spread
    else:
        squares = (counted * values) @ known.T.astype(np.float64)  # of the row's symbol, where the column's has one too
        size = np.sqrt(squares * squares.T)
        found = np.divide(found, size, out=np.zeros_like(found), where=size > 0)
    np.fill_diagonal(found, 1.0)
    return found


def _principal(values: Grid) -> Grid:
    """The principal factors of `values` (symbols, sessions) at each session; (factors, sessions), largest first.

    The sign of each is that of its mean loading, so that the same returns give the same draws.
    """
    from scipy.sparse.linalg import svds

    count = min(FACTORS, min(values.shape) - 1)
    _, sizes, found = svds(values, k=count, v0=np.ones(min(values.shape)), solver="arpack")
    found = found[np.argsort(-sizes, kind="stable")]
    signs = np.where((values @ found.T).sum(axis=0) < 0, -1.0, 1.0)
    oriented: Grid = found * signs[:, None]
    return oriented
