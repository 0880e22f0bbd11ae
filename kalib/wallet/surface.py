"""Log potential as a smooth surface over the indicators: a Gaussian process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

# Prior: variances of the surface and of levels are exponential about that of log potential, inverse
# squares of lengths about one; the mean has ten times the variance of log potential.
MEAN_VARIANCE = 10.0
STEPS = 25  # of the search for the mode
BLOCK = 4000  # accounts at a time: bounds memory to about 50 MB
# Starts and bounds, in logs of the variance of log potential: of the line, the surface, the rest,
# and a text's levels; then of a column's inverse squared length.
START, BOUNDS = (-0.7, -2.3, -1.2), ((-7.0, 3.0), (-9.0, 3.0), (-7.0, 1.0))
LEVEL_START, LEVEL_BOUNDS = -3.0, (-9.0, 2.0)
LENGTH_START, LENGTH_BOUNDS = -2.3, (-7.0, 4.0)


@dataclass(frozen=True)
class Ground:
    """What a surface lies over: numbers (m, p), each in units of its scatter among the surveyed
    accounts; levels (m, t): codes of the levels of text indicators."""

    numbers: np.ndarray
    levels: np.ndarray

    def __getitem__(self, rows: np.ndarray | slice) -> Ground:
        return Ground(self.numbers[rows], self.levels[rows])

    @property
    def width(self) -> int:
        """Columns of numbers that a line is drawn over, at least one."""
        return max(self.numbers.shape[1], 1)


@dataclass(frozen=True)
class Surface:
    """A Gaussian process through m answers (Rasmussen & Williams 2006, chapters 2 and 5).

    at: where the answers are; mean: of their log potential; free: variance of the mean; line,
    bent, rest: variances of the line, of what bends and of the rest; levels (t,): of each text's
    levels; closeness (p,): inverse squared lengths, near zero in columns that bend nothing; inverse
    (m, m): of the answers' covariance; pull (m,): its product with the answers.
    """

    at: Ground
    mean: float
    free: float
    line: float
    bent: float
    rest: float
    levels: np.ndarray
    closeness: np.ndarray
    inverse: np.ndarray
    pull: np.ndarray

    def covariance(self, ground: Ground) -> np.ndarray:
        """Of N accounts with the m answers (N, m)."""
        unit = np.sqrt(self.closeness)
        here, there = ground.numbers * unit, self.at.numbers * unit
        apart = (here**2).sum(axis=1)[:, None] + (there**2).sum(axis=1) - 2 * here @ there.T
        found = self.bent * np.exp(-0.5 * np.maximum(apart, 0.0)) + self.free
        found += self.line * ground.numbers @ self.at.numbers.T / ground.width
        for text, variance in enumerate(self.levels):
            found += variance * (ground.levels[:, text, None] == self.at.levels[:, text])
        return np.asarray(found)

    def predict(self, ground: Ground) -> tuple[np.ndarray, np.ndarray]:
        """Expected log potential (N,), and the variance of the truth about it (N,)."""
        own = self.line * (ground.numbers**2).sum(axis=1) / ground.width
        own += self.bent + self.levels.sum() + self.free
        both = [(c @ self.pull, ((c @ self.inverse) * c).sum(axis=1)) for c in self._blocks(ground)]
        middle, told = map(np.concatenate, zip(*both, strict=True))
        return self.mean + middle, np.maximum(own - told, 0.0) + self.rest

    def moved_by(self, ground: Ground, most: int) -> tuple[np.ndarray, np.ndarray]:
        """How errors of the answers move accounts: (N, k), and the k combinations (k, m) of errors,
        at most so many, of those along which accounts differ most."""
        size, along = np.linalg.eigh(self.inverse)  # the answers' largest variances come first
        size, along = size[:most], along[:, :most]
        return np.vstack([c @ along * size for c in self._blocks(ground)]), along.T

    def _blocks(self, ground: Ground) -> Iterator[np.ndarray]:
        for start in range(0, len(ground.numbers), BLOCK):
            yield self.covariance(ground[slice(start, start + BLOCK)])


def fit_surface(ground: Ground, response: np.ndarray, noise: np.ndarray) -> Surface:
    """The surface at the mode of its variances and lengths.

    ground: of m answers; response: (m,) log potential; noise: (m,) variance of the error of
    measuring.
    """
    from scipy.linalg.lapack import dpotrf, dpotri, dpotrs
    from scipy.optimize import minimize

    count, texts = len(response), ground.levels.shape[1]
    scale, aim = float(response.var()) or 1.0, response - response.mean()
    # Of pairs of answers, each once: (k, m (m + 1) / 2).
    one, other = np.tril_indices(count)
    place, itself = one * count + other, one == other
    times = np.where(itself, 1.0, 2.0)
    apart = (ground.numbers[one] - ground.numbers[other]).T ** 2
    along = (ground.numbers[one] * ground.numbers[other]).sum(axis=1) / ground.width
    same = (ground.levels[one] == ground.levels[other]).T.astype(float)

    def covariance(point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of the answers, its lower half (m, m), and the nearness of their pairs."""
        near = np.exp(-0.5 * (np.exp(point[3 + texts :]) @ apart))
        parts = scale * np.exp(point[: 3 + texts])
        pairs = parts[0] * along + parts[1] * near + MEAN_VARIANCE * scale + parts[3:] @ same
        pairs[itself] += parts[2] + noise
        found = np.zeros(count * count)
        found[place] = pairs
        return found.reshape(count, count), near

    def loss(point: np.ndarray) -> tuple[float, np.ndarray]:
        """Negative log posterior and its gradient."""
        found, near = covariance(point)
        upper, _ = dpotrf(found.T, overwrite_a=1)
        pull = dpotrs(upper, aim)[0]
        inverse = dpotri(upper)[0].T.ravel()[place]
        by = 0.5 * times * (pull[one] * pull[other] - inverse)
        parts, closeness = np.exp(point[: 3 + texts]), np.exp(point[3 + texts :])
        drawn = parts * np.array([0.0, 1.0, 0.0, *np.ones(texts)])
        score = -0.5 * aim @ pull - np.log(np.diag(upper)).sum() - drawn.sum() - closeness.sum()
        slopes = np.array([by @ along, by @ near, by[itself].sum(), *(same @ by)])
        bends = -0.5 * parts[1] * scale * (apart @ (by * near))
        gradient = np.concatenate([scale * parts * slopes - drawn, closeness * (bends - 1)])
        return -float(score), -gradient

    start = [*START, *[LEVEL_START] * texts, *[LENGTH_START] * len(apart)]
    bounds = [*BOUNDS, *[LEVEL_BOUNDS] * texts, *[LENGTH_BOUNDS] * len(apart)]
    steps = {"maxiter": STEPS}
    point = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=steps).x
    lower = covariance(point)[0]
    inverse = np.linalg.inv(lower + np.tril(lower, -1).T)
    line, bent, rest, *levels = scale * np.exp(point[: 3 + texts])
    mean, free = float(response.mean()), MEAN_VARIANCE * scale
    return Surface(ground, mean, free, line, bent, rest, np.array(levels),
                   np.exp(point[3 + texts :]), inverse, inverse @ aim)  # fmt: skip
