"""The stack of estimates: its parts against brute force, its weights, and what it promises."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.optimize import approx_fprime, minimize
from scipy.special import expit, ndtri
from scipy.stats import beta, norm

from kalib.formula.distribution import LEVELS, Distribution
from kalib.wallet import stack
from kalib.wallet.basis import judge_estimate
from kalib.wallet.estimate import _accuracy, _reaching, sales_p_value
from kalib.wallet.parts import regression_part
from kalib.wallet.regression import PENALTIES, fit_regression
from kalib.wallet.share import ShareModel, fit_share
from kalib.wallet.stack import Answered, Stack, fit_stack, log_scores
from kalib.wallet.surface import MEAN_VARIANCE, Ground, fit_surface


def answered(n: int, seed: int = 0, zero: float = 0.1) -> Answered:
    """Surveyed accounts whose log potential is standard normal, SOW beta(2, 3)."""
    rng = np.random.default_rng(seed)
    potential = np.exp(rng.standard_normal(n))
    sales = potential * rng.beta(2, 3, n) * (rng.random(n) >= zero)
    fold = rng.permutation(np.arange(n) % 10)
    return Answered(potential, sales, rng.uniform(0.5, 2, n), np.zeros(n), fold)


def guesses(known: Answered, errors: tuple[float, ...], seed: int = 1) -> list[Distribution]:
    """Distributions of log potential, each with independent errors of its own size."""
    rng, logs = np.random.default_rng(seed), np.log(known.potential)
    return [
        Distribution.lognormal(
            logs + sd * rng.standard_normal(len(logs)), np.full(len(logs), max(sd, 0.05))
        )
        for sd in errors
    ]


def test_posterior_equals_the_density_on_a_fine_grid() -> None:
    model = ShareModel(4.0, 0.5, -0.6, 0.4, 6.0, -2.0, -0.5, beyond=-0.3, scatter=0.4)
    prior = Distribution.lognormal(np.array([4.0, 4.0]), np.array([0.5, 0.5]))
    found = model.posterior(prior, np.array([30.0, 0.0])).table
    logs = np.linspace(1.0, 8.0, 400_001)
    x = (logs - 4.0) / 0.5
    beyond = np.clip((logs - 4.0) / 0.4, -4, 4)
    mean, none = expit(-0.6 + 0.4 * x - 0.3 * beyond), expit(-2.0 - 0.5 * x)
    share = np.minimum(30 / np.exp(logs), 1.0)
    bought = (1 - none) * beta.pdf(share, 6 * mean, 6 * (1 - mean)) * share
    for row, likelihood in zip(found, (np.where(share < 1, bought, 0.0), none), strict=True):
        mass = np.cumsum(norm.pdf(logs, 4.0, 0.5) * likelihood)
        expected = np.exp(np.interp(LEVELS, mass / mass[-1], logs))
        np.testing.assert_allclose(row[4:-4], expected[4:-4], rtol=0.01)
    assert (found[0] >= 30).all()


def test_share_model_is_recovered_and_drawn_to_a_constant_share() -> None:
    rng = np.random.default_rng(0)
    expected = rng.normal(10, 0.8, 4000)
    logs = expected + rng.normal(0, 0.6, 4000)
    mean = expit(-0.5 - 0.8 * (logs - 10) + 0.6 * (logs - expected) / 0.6)
    sales = np.exp(logs) * rng.beta(8 * mean, 8 * (1 - mean))
    sales[rng.random(4000) < expit(-1.5 - 0.6 * (logs - 10))] = 0
    many = fit_share(sales, np.exp(logs), np.ones(4000), np.exp(expected))
    assert many is not None
    found = (many.level, many.slope, many.beyond, many.size, many.zero, many.zero_slope)
    np.testing.assert_allclose(found, (-0.5, -0.8, 0.6, 8, -1.5, -0.6), atol=0.4)
    few, ones = slice(40), np.ones(40)
    assert fit_share(sales[few] * 0, np.exp(logs[few]), ones, np.exp(expected[few])) is None
    silent = fit_share(np.exp(logs[few]) * 0.3, np.exp(logs[few]), ones, np.exp(expected[few]))
    assert silent is not None and silent.zero == -np.inf
    assert max(abs(silent.slope), abs(silent.beyond)) < 1e-3


def test_regression_is_the_ridge_with_the_least_leave_one_out_error() -> None:
    rng = np.random.default_rng(3)
    matrix = rng.standard_normal((40, 6)) * [1, 2, 3, 1, 1, 5] + 7
    response = matrix @ [0.2, 0, 0, 0.1, 0, 0.5] + rng.standard_normal(40)
    weights = rng.uniform(0.5, 2, 40)
    found = fit_regression(matrix, response, weights, free=2)
    mass = weights / weights.sum()

    def ridge(penalty: float, rows: np.ndarray) -> np.ndarray:
        share = mass[rows] / mass[rows].sum()
        unit = np.sqrt(mass @ (matrix - mass @ matrix) ** 2)
        z, y = (matrix[rows] - share @ matrix[rows]) / unit, response[rows]
        gram = z.T @ (share[:, None] * z) + np.diag([penalty] * 4 + [0, 0])
        return np.linalg.solve(gram, z.T @ (share * (y - share @ y))) / unit

    every = np.arange(40)
    apart = [np.abs(ridge(p, every) - found.slopes).max() for p in PENALTIES]
    assert min(apart) < 1e-6  # columns of sales are not shrunk, but for a part in 10^8
    np.testing.assert_allclose(found.with_intercept(matrix) @ found.influence @ response,
                               found.predict(matrix))  # fmt: skip
    far = matrix[:1] + 100.0
    held = found.predict(np.where(np.arange(6) < 4, found.high, far))
    np.testing.assert_allclose(found.predict(far), held)


def hills(count: int, seed: int) -> tuple[Ground, np.ndarray]:
    """Places of three numbers and a text of five levels, and a surface that bends over the first."""
    rng = np.random.default_rng(seed)
    ground = Ground(rng.standard_normal((count, 3)), rng.integers(0, 5, (count, 1)))
    height = 9 + np.sin(2.5 * ground.numbers[:, 0]) + 0.5 * ground.numbers[:, 1]
    return ground, height + 0.3 * ground.levels[:, 0]


def test_surface_is_the_gaussian_process_of_its_variances() -> None:
    """Against scikit-learn's, its covariance written down from the same variances and lengths."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct

    ground, height = hills(60, 1)
    response = height + np.random.default_rng(2).normal(0, 0.2, 60)
    noise = np.linspace(0.0, 0.05, 60)
    found, (new, _) = fit_surface(ground, response, noise), hills(9, 3)
    line, bent, rest, level = found.line, found.bent, found.rest, found.levels[0]
    lengths = np.append(found.closeness**-0.5, np.full(5, 1e6))
    kernel = ConstantKernel(bent) * RBF(lengths)
    kernel += ConstantKernel(MEAN_VARIANCE * float(response.var()))
    kernel += ConstantKernel(1.0) * DotProduct(1e-8)

    def columns(where: Ground) -> np.ndarray:
        """Lines in the numbers, and one-hot levels whose products are their covariance."""
        marks = np.eye(5)[where.levels[:, 0]] * np.sqrt(level)
        return np.column_stack([where.numbers * np.sqrt(line / 3), marks])

    scale = np.append(np.full(3, np.sqrt(line / 3)), np.ones(5))
    kernel.k1.k1.k2.length_scale = lengths * scale
    theirs = GaussianProcessRegressor(kernel, alpha=rest + noise, optimizer=None)
    theirs.fit(columns(ground), response - response.mean())
    middle, sd = theirs.predict(columns(new), return_std=True)
    expected, variance = found.predict(new)
    np.testing.assert_allclose(expected, middle + response.mean(), rtol=1e-6)
    np.testing.assert_allclose(variance, sd**2 + rest, rtol=1e-5)


def test_surface_finds_what_bends_and_how_errors_move_it() -> None:
    ground, height = hills(150, 5)
    response = height + np.random.default_rng(6).normal(0, 0.2, 150)
    found, (new, truth) = fit_surface(ground, response, np.zeros(150)), hills(400, 7)
    expected, variance = found.predict(new)
    assert np.corrcoef(truth, expected)[0, 1] > 0.97
    assert np.sqrt(found.rest) == pytest.approx(0.2, abs=0.05)
    assert found.closeness[0] > 20 * found.closeness[1:].max()
    inside = np.abs(truth - expected) < 1.645 * np.sqrt(variance - found.rest)
    assert 0.85 < inside.mean() < 0.97
    moved, along = found.moved_by(new, 150)
    error = np.random.default_rng(8).normal(0, 0.1, 150)
    again = found.covariance(new) @ found.inverse @ (response + error - response.mean())
    np.testing.assert_allclose(moved @ along @ error, again + found.mean - expected, atol=1e-8)


def test_surface_changes_with_the_unit_of_money_as_logs_do() -> None:
    ground, height = hills(60, 9)
    first, second = (fit_surface(ground, height + by, np.zeros(60)) for by in (0.0, 7.0))
    np.testing.assert_allclose(first.predict(ground)[0] + 7, second.predict(ground)[0], rtol=1e-6)


def test_gradient_of_the_score_is_its_derivative() -> None:
    known = answered(60)
    middles = np.log(known.potential) + np.random.default_rng(2).normal(0, 0.4, (3, 60))
    widths = np.random.default_rng(3).uniform(0.3, 0.6, (3, 60))
    made = Stack(np.array([0.2, 0.5, 0.3]), 1.2)

    def score(point: np.ndarray) -> float:
        moved = stack._log_scores(middles + point[0], widths + point[1], known, made)
        return float(moved[0].sum())

    _, by_middle, by_width = stack._log_scores(middles, widths, known, made)
    numeric = approx_fprime(np.zeros(2), score, 1e-6)
    np.testing.assert_allclose([by_middle.sum(), 1.2 * by_width.sum()], numeric, rtol=1e-4)


def test_weights_have_the_best_score_of_all() -> None:
    """Against another optimizer on the simplex; and the better part has more to say."""
    known = answered(120)
    parts = guesses(known, (0.3, 0.5, 0.9))
    found = fit_stack(parts, known)
    assert found.weights.sum() == pytest.approx(1) and (found.weights >= 0).all()
    assert (np.diff(found.weights) < 0).all()

    def loss(point: np.ndarray) -> float:
        weights = np.append(point[:2], 1 - point[:2].sum())
        tried = Stack(weights, float(np.exp(point[2])), float(point[3]))
        prior = known.weights.sum() * point[3] ** 2 / (2 * stack.SHIFT_SD**2 * effective)
        return float(prior - known.weights @ log_scores(parts, known, tried))

    limits = {"type": "ineq", "fun": lambda p: 1 - p[0] - p[1]}
    effective = known.weights.sum() ** 2 / (known.weights**2).sum()
    best = minimize(loss, [0.3, 0.3, 0.0, 0.0], method="SLSQP", constraints=limits,
                    bounds=[(0, 1), (0, 1), (-1, 1), (-1, 0)])  # fmt: skip
    narrow = found.stretch / np.sqrt(effective / (effective - 2))
    ours = loss(np.array([*found.weights[:2], np.log(narrow), found.shift]))
    assert ours <= best.fun + 0.01 and found.weights[0] == pytest.approx(best.x[0], abs=0.02)


def test_the_stack_beats_its_parts_on_accounts_it_has_not_seen() -> None:
    train, test = answered(150, 5), answered(2000, 6)
    found = fit_stack(guesses(train, (0.4, 0.4, 0.8), 7), train)
    parts = guesses(test, (0.4, 0.4, 0.8), 8)
    scores = [float(test.weights @ log_scores(parts, test, one))
              for one in (found, *(Stack(row) for row in np.eye(3)))]  # fmt: skip
    assert scores[0] > max(scores[1:])
    combined = found.combine(parts, test.sales)
    inside = (combined.quantile(0.05) <= test.potential) & (
        test.potential <= combined.quantile(0.95)
    )
    assert 0.87 <= inside.mean() <= 0.93
    assert (combined.table >= test.sales[:, None] * (1 - 1e-9)).all()
    assert (combined.mean() >= combined.quantile(0.05)).all()


@pytest.mark.parametrize("factor", [1.0, 1.6])
def test_a_tail_that_the_sums_contradict_is_drawn_in(factor: float) -> None:
    """Parts whose upper tails are too long by a factor; right ones are left alone."""
    rng, each = np.random.default_rng(15), np.arange(400)
    middle = rng.normal(8, 0.7, 400)
    potential = np.exp(middle + 0.5 * rng.standard_normal(400))
    known = Answered(potential, np.zeros(400), np.ones(400), np.zeros(400), each)
    off = 0.5 * ndtri(LEVELS)
    table = np.exp(middle[:, None] + np.where(off > 0, factor * off, off))
    part, made = Distribution(LEVELS, table), Stack(np.ones(1))
    drawn = stack.with_tail(made, [part], known, each)
    before, after = (one.combine([part], known.sales) for one in (made, drawn))
    if factor == 1:
        assert drawn.tail == pytest.approx(1, abs=0.1)
    else:
        assert before.mean().sum() > 1.15 * potential.sum()
        assert after.mean().sum() == pytest.approx(potential.sum(), rel=0.05)
        assert after.quantile(0.5) == pytest.approx(before.quantile(0.5), rel=0.02)


def test_error_of_a_total_is_that_of_repeated_surveys() -> None:
    """Of 2,000 surveys of 80 accounts each; and larger where accounts err together."""
    rng = np.random.default_rng(17)
    expected = np.exp(rng.normal(8, 0.7, 5000))
    potential = expected * np.exp(rng.normal(-0.1, 0.4, 5000))
    found, said = [], []
    for _ in range(2000):
        rows = rng.choice(5000, 80)
        known = Answered(potential[rows], np.zeros(80), np.ones(80), np.zeros(80), np.arange(80))
        found.append(potential[rows].sum() / expected[rows].sum())
        said.append(stack.error_of_total(expected[rows], known, known.fold))
    assert np.mean(said) == pytest.approx(np.std(found), rel=0.06)
    pairs = np.repeat(np.arange(40), 2)
    double = known.rows(pairs)
    alone, together = (stack.error_of_total(expected[rows][pairs], double, alike)
                       for alike in (np.arange(80), pairs))  # fmt: skip
    assert together == pytest.approx(alone * np.sqrt(2), rel=0.02)


def test_loadings_reach_the_error_of_the_total() -> None:
    found = Distribution.lognormal(np.full(500, 8.0), np.full(500, 0.4))
    left = np.ones(500, dtype=bool)
    loadings = _reaching(np.full((500, 1), 0.05, dtype=np.float32), found, left, 0.06)
    totals = found.total_draws(4000, loadings, 3)
    own = found.sd()[0] / found.mean()[0] / np.sqrt(500)
    assert totals.std() / totals.mean() == pytest.approx(np.hypot(0.06, own), rel=0.06)
    enough = _reaching(loadings, found, left, 0.01)
    assert not enough[:, -1].any()


def test_accounts_that_buy_all_from_us_are_an_answer_of_their_own() -> None:
    known = answered(200, 9, zero=0)
    sales = np.where(np.arange(200) % 3 == 0, known.potential, known.sales)
    full = Answered(known.potential, sales, known.weights, known.variance, known.fold)
    assert full.full and not known.full
    parts = guesses(full, (0.3, 0.5))
    combined = fit_stack(parts, full).combine(parts, sales)
    everything = sales == known.potential
    assert (
        combined.quantile(0.05)[everything] <= known.potential[everything] * 1.0001
    ).mean() > 0.9
    assert (combined.table >= sales[:, None]).all()


@pytest.mark.parametrize(("informative", "basis"), [(True, "sales"), (False, "none")])
def test_own_sales_alone_are_judged_by_themselves(informative: bool, basis: str) -> None:
    known = answered(80, 11, zero=0.1)
    rng = np.random.default_rng(12)
    sales = known.sales if informative else rng.permutation(known.sales)
    logs = np.log(np.where(sales > 0, sales, sales[sales > 0].min() / 2))
    own = np.column_stack([logs, sales <= 0])
    heard = Answered(known.potential, np.minimum(sales, known.potential), known.weights,
                     known.variance, known.fold)  # fmt: skip
    parts = {"mean": regression_part(np.empty((80, 0)), np.arange(80), heard, 0),
             "sales": regression_part(own, np.arange(80), heard, 2)}  # fmt: skip
    figures = _accuracy([part.unseen for part in parts.values()], heard)
    p = sales_p_value(heard, np.arange(80))
    found = SimpleNamespace(**figures, sales_p=p, hears_sales=True, weights={}, scores={})
    refused = SimpleNamespace(verdict="unusable", reasons=("refused",), checks=())
    judged = judge_estimate(found, refused)  # type: ignore[arg-type]
    assert judged.basis == basis and (judged.verdict == "unusable") == (basis == "none")
    assert judged.reasons and judged.to_json()["basis"] == basis
    danger = SimpleNamespace(key="reach", passed=False, meaning="of others")
    refused = SimpleNamespace(verdict="unusable", reasons=("refused",), checks=(danger,))
    assert judge_estimate(found, refused).verdict == ("caution" if informative else "unusable")  # type: ignore[arg-type]


def test_accounts_of_one_chain_are_no_independent_witnesses() -> None:
    """Chains that share potential and sales by chance alone say little together."""
    single, clustered = [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        chain = rng.integers(0, 10, 100)
        logs = 0.7 * rng.standard_normal(10)[chain] + 0.3 * rng.standard_normal(100)
        sold = np.exp(3 + rng.standard_normal(10)[chain] + 0.8 * rng.standard_normal(100))
        known = Answered(np.exp(9 + logs), sold, np.ones(100), np.zeros(100), chain)
        single.append(sales_p_value(known, np.arange(100)) < 0.005)
        clustered.append(sales_p_value(known, chain) < 0.005)
    assert np.mean(clustered) < 0.03 < 0.2 < np.mean(single)
    rising = Answered(known.potential, known.potential * rng.beta(2, 4, 100), known.weights,
                      known.variance, chain)  # fmt: skip
    assert sales_p_value(rising, chain) < 0.001


def test_regression_covers_and_shares_errors() -> None:
    """Normal errors: intervals hold, and the spread that accounts share is that of the slopes."""
    inside = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        columns = rng.standard_normal((260, 4))
        logs = columns @ [0.5, 0.3, 0, 0.4] + 0.4 * rng.standard_normal(260)
        rows = np.arange(60)
        known = Answered(np.exp(logs[:60]), np.zeros(60), np.ones(60), np.zeros(60), rows % 10)
        part = regression_part(columns, rows, known, 1)
        low, high = (np.log(part.every.quantile(p))[60:] for p in (0.05, 0.95))
        inside.append(((low <= logs[60:]) & (logs[60:] <= high)).mean())
    assert 0.88 <= np.mean(inside) <= 0.93
    np.testing.assert_allclose(part.basis @ part.basis.T, np.eye(5), atol=1e-9)
    assert 0 < (part.loadings**2).sum(axis=1).max() < 1


def test_normal_scores_give_the_spread_of_a_normal_log() -> None:
    sd = np.array([0.1, 0.5, 2.0])
    found = Distribution.lognormal(np.zeros(3), sd).log_spread()
    np.testing.assert_allclose(found, sd, rtol=0.01)
    assert np.isclose(ndtri(0.84), 0.994, atol=0.001)


def test_totals_are_the_sums_of_the_joint_draws() -> None:
    found = Distribution.lognormal(np.linspace(0, 1, 1300), np.full(1300, 0.4))
    loadings = np.full((1300, 1), 0.5, dtype=np.float32)
    total = found.total_draws(50, loadings, 3)
    np.testing.assert_allclose(total, found.draws(50, loadings, 3).sum(axis=1), rtol=1e-4)
