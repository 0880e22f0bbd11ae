"""The distribution of a quantity of each account, as a table of quantiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

LEVELS = (np.arange(64) + 0.5) / 64  # probabilities at which a distribution is kept
# Grid of normal scores on which a posterior is computed; +-6 leaves out 2e-9.
SCORES = np.linspace(-6.0, 6.0, 361)
CHUNK = 500  # accounts at a time: bounds memory, and stays near the cache
CACHED = 512  # accounts whose tables are drawn from at once: 130 kB of 32-bit numbers
DRAW_END, DRAW_STEPS = 4, 8  # normal scores from -4 to 4 in steps of an eighth


@dataclass(frozen=True)
class Distribution:
    """Distributions of N quantities above 0, each by its quantiles at common levels.

    levels: (Q,) probabilities, ascending; table: (N, Q) quantiles, NaN where nothing is known.

    Examples
    --------
    >>> even = Distribution(np.array([0.25, 0.75]), np.array([[10.0, 30.0], [5.0, 5.0]]))
    >>> even.quantile(0.5)
    array([20.,  5.])
    >>> even.mean()
    array([20.,  5.])
    """

    levels: np.ndarray
    table: np.ndarray

    @classmethod
    def certain(cls, values: np.ndarray) -> Distribution:
        """Values (N,) known without error."""
        return cls(LEVELS, np.repeat(np.asarray(values, float)[:, None], len(LEVELS), axis=1))

    @classmethod
    def lognormal(cls, middle: np.ndarray, sd: np.ndarray) -> Distribution:
        """Quantities whose natural logs are normal with means and standard deviations (N,)."""
        from scipy.special import ndtri

        return cls(LEVELS, np.exp(middle[:, None] + sd[:, None] * ndtri(LEVELS)))

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, rows: np.ndarray | slice) -> Distribution:
        """The distributions of some accounts."""
        return Distribution(self.levels, self.table[rows])

    def replaced(self, rows: np.ndarray, other: Distribution) -> Distribution:
        """With other's in place at rows."""
        table = self.table.copy()
        table[rows] = other.table
        return Distribution(self.levels, table)

    def quantile(self, p: float) -> np.ndarray:
        """Quantile (N,), linear between levels."""
        place = np.interp(p, self.levels, np.arange(len(self.levels)))
        left = min(int(place), len(self.levels) - 2)
        low, high = self.table[:, left], self.table[:, left + 1]
        return low + (high - low) * (place - left)  # exact where both are the same

    def mean(self) -> np.ndarray:
        """Mean (N,)."""
        return np.asarray(self.table.mean(axis=1))

    def sd(self) -> np.ndarray:
        """Standard deviation (N,)."""
        return np.asarray(self.table.std(axis=1))

    def log_spread(self) -> np.ndarray:
        """Standard deviation (N,) that a normal log would have between the outer sixths."""
        from scipy.special import ndtri

        width = np.log(self.quantile(0.84) / self.quantile(0.16)) / (ndtri(0.84) - ndtri(0.16))
        return np.asarray(np.maximum(width, 1e-6))

    def below(self, limit: np.ndarray) -> np.ndarray:
        """Probability (N,) of less than limits (N,); 0 and 1 outside the table."""
        last = len(self.levels) - 1
        place = (self.table <= limit[:, None]).sum(axis=1) - 1
        rows, left = np.arange(len(place)), np.clip(place, 0, last - 1)
        low, high = self.table[rows, left], self.table[rows, left + 1]
        part = np.divide(limit - low, high - low, out=np.zeros(len(place)), where=high > low)
        inside = self.levels[left] + part * (self.levels[left + 1] - self.levels[left])
        inside = np.where((place == last) & (high == low), self.levels[last], inside)
        return np.where(place < 0, 0.0 * limit, np.where(limit > self.table[:, last], 1.0, inside))

    def scale(self, factor: np.ndarray | float) -> Distribution:
        """Every quantity times its factor (N,)."""
        return Distribution(self.levels, self.table * np.reshape(factor, (-1, 1)))

    def truncate(self, low: np.ndarray) -> Distribution:
        """What is left where a quantity is known to be at least low (N,)."""
        least = np.log(np.maximum(low, 1e-300))[:, None]
        kept = self.reweighted(lambda logs, rows: np.where(logs >= least[rows], 0.0, -np.inf))
        # Nothing of the distribution lies so high: it is moved there.
        moved = self.table * (low / np.maximum(self.table[:, 0], 1e-300))[:, None]
        table = np.where(np.isfinite(kept.table), kept.table, moved)
        return Distribution(self.levels, np.maximum(table, low[:, None]))

    def with_nothing(self, chance: np.ndarray, least: float) -> Distribution:
        """With a chance (N,) below 1 of least, which lies below all quantiles, instead."""
        place = (self.levels - chance[:, None]) / (1 - chance[:, None])
        at = np.interp(place, self.levels, np.arange(len(self.levels)))
        left = np.minimum(at.astype(int), len(self.levels) - 2)
        rows, part = np.arange(len(chance))[:, None], at - left
        kept = self.table[rows, left] * (1 - part) + self.table[rows, left + 1] * part
        return Distribution(self.levels, np.where(place < 0, least, kept))

    def reweighted(self, weigh: Callable[[np.ndarray, slice], np.ndarray]) -> Distribution:
        """The posterior under a likelihood, by Bayes' rule on a grid of normal scores.

        weigh(logs, rows): log likelihood (m, G) of log quantities (m, G), of the accounts in rows.
        NaN where nothing that the distribution allows is likely.
        """
        result = np.full(self.table.shape, np.nan)
        for start in range(0, len(self.table), CHUNK):
            rows = slice(start, start + CHUNK)
            logs = self[rows].logs_at(SCORES)
            density = weigh(logs, rows) - 0.5 * SCORES**2
            top = density.max(axis=1, keepdims=True)
            possible = np.isfinite(top[:, 0])
            mass = np.exp(density[possible] - top[possible])
            place = np.cumsum(mass, axis=1) - 0.5 * mass
            place /= mass.sum(axis=1, keepdims=True)
            each = zip(place, logs[possible], strict=True)
            found = [np.interp(self.levels, places, values) for places, values in each]
            result[rows][possible] = np.exp(np.reshape(found, (-1, len(self.levels))))
        return Distribution(self.levels, result)

    def logs_at(self, scores: np.ndarray) -> np.ndarray:
        """Log quantities (N, m) at normal scores (m,), beyond the table by its outer slopes."""
        from scipy.special import ndtri

        logs, known = np.log(self.table), ndtri(self.levels)
        right = np.clip(np.searchsorted(known, scores), 1, len(known) - 1)
        left = right - 1
        # Outside the table the end segments are noisy: the slope of the outer fifth is used.
        step = len(known) // 5
        fraction = (scores - known[left]) / (known[right] - known[left])
        inner = logs[:, left] + fraction * (logs[:, right] - logs[:, left])
        low = (logs[:, step] - logs[:, 0]) / (known[step] - known[0])
        high = (logs[:, -1] - logs[:, -1 - step]) / (known[-1] - known[-1 - step])
        below, above = known[0] - scores, scores - known[-1]
        inner = np.where(below > 0, logs[:, :1] - low[:, None] * below, inner)
        return np.where(above > 0, logs[:, -1:] + high[:, None] * above, inner)

    def draws(self, size: int, loadings: np.ndarray, seed: int) -> np.ndarray:
        """Joint draws (size, N), float32.

        loadings (N, k): the part of each normal score that accounts share, drawn once a draw; the
        rest is an account's own. The score is read off the account's own distribution.
        """
        drawn = np.empty((size, len(self.table)), dtype=np.float32)
        for part, block in self._blocks(size, loadings, seed):
            drawn[:, part] = block
        return drawn

    def total_draws(self, size: int, loadings: np.ndarray, seed: int) -> np.ndarray:
        """Sums (size,) over the accounts of the joint draws that `draws` gives."""
        total = np.zeros(size)
        for _, block in self._blocks(size, loadings, seed):
            total += block.sum(axis=1, dtype=float)
        return total

    def _blocks(
        self, size: int, loadings: np.ndarray, seed: int
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """Joint draws of a few accounts at a time: their tables then stay in the cache."""
        rng = np.random.Generator(np.random.SFC64(seed))
        shared = rng.standard_normal((size, loadings.shape[1]), dtype=np.float32)
        own = np.sqrt(np.clip(1 - (loadings**2).sum(axis=1), 0, None)).astype(np.float32)
        normal = _normal_table()
        for start in range(0, len(self.table), CACHED):
            part = slice(start, start + CACHED)
            table = self[part]._at_even_scores()
            count = table.shape[1]
            score = normal.take(rng.integers(0, 1 << 16, (size, len(table)), dtype=np.uint16))
            score *= own[part] * DRAW_STEPS
            score += shared @ (loadings[part].T * np.float32(DRAW_STEPS))
            score += np.float32(DRAW_STEPS * DRAW_END)
            np.clip(score, 0, np.float32(count - 1.001), out=score)
            place = score.astype(np.int32)
            score -= place
            place += np.arange(0, table.size, count, dtype=np.int32)
            low = table.take(place)
            place += 1
            high = table.take(place)
            high -= low
            high *= score
            yield part, np.add(low, high)

    def _at_even_scores(self) -> np.ndarray:
        """Quantities (N, m) at evenly spaced normal scores, the outer levels beyond them."""
        from scipy.special import ndtr

        points = np.linspace(-DRAW_END, DRAW_END, 2 * DRAW_END * DRAW_STEPS + 1)
        place = np.interp(ndtr(points), self.levels, np.arange(len(self.levels)))
        left = np.minimum(place.astype(int), len(self.levels) - 2)
        part = (place - left).astype(np.float32)
        low = self.table[:, left]
        return np.asarray(low + part * (self.table[:, left + 1] - low))


@cache
def _normal_table() -> np.ndarray:
    """Normal scores (65536,) of equal probability, float32: a random 16-bit number reads one."""
    from scipy.special import ndtri

    return np.asarray(ndtri((np.arange(1 << 16) + 0.5) / (1 << 16)), dtype=np.float32)
