"""Who was surveyed: accounts that belong together, weights, and how far the survey reaches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kalib.formula.suspicion import Answers
from kalib.indicators.screening import Design, Screening

FOLDS = 10
DISAGREE = 0.05  # R² lost where folds keep groups together, which chance seldom takes
# Significance at which sales are taken to have decided who was surveyed; accounts that can tell.
BIAS_LEVEL, FEWEST_ASKED = 0.01, 20
# Survey weights beyond this multiple of their median are cut: a few accounts must not decide.
WEIGHT_CUT = 8.0
# Standard deviations of every indicator (and of the answer, where few of them vary much) within
# which two accounts are copies of one another.
COPIES, COPIES_WITH_ANSWER = 0.1, 0.001
VARIED, FEWEST_VARIED = 20, 4  # distinct values of a column that varies much; such columns
COPIED_LEAST = 0.1  # share of the accounts that must be copies to be worth folds of their own
UNSURVEYED_MOST = 0.05  # share of accounts in regions not surveyed that calls for folds by region
FEWEST_LEVELS = 3  # surveyed regions or segments that can be left out in turn
LEVELS_MOST = 40  # of a region or segment, beyond which it tells nothing of who was surveyed


@dataclass(frozen=True)
class SurveyBias:
    """Whether own sales decided who was surveyed, and the weights that put it right.

    weights: (n,), mean 1 over surveyed accounts; p_value: likelihood-ratio test that sales add
    nothing to the indicators in explaining who was surveyed, 1 where all sales are alike and can't
    tell.
    """

    weights: np.ndarray
    p_value: float = 1.0

    @property
    def biased(self) -> bool:
        """Whether own sales decided."""
        return self.p_value < BIAS_LEVEL

    @property
    def effective(self) -> float:
        """Kish's effective sample size."""
        return float(self.weights.sum() ** 2 / (self.weights**2).sum())


@dataclass(frozen=True)
class Groups:
    """Surveyed accounts that belong together: number (n,), by: "parent", "region", "segment",
    "copies" or "" where each stands alone."""

    number: np.ndarray
    by: str


@dataclass(frozen=True)
class Folds:
    """Whether accounts are foretold by their own kind: by and count of the groups that folds keep
    together, "" and that of accounts where there are none; random, apart: R² of log potential out
    of sample by folds at random, and by groups (NaN without any)."""

    by: str
    count: int
    random: float
    apart: float

    @property
    def disagree(self) -> bool:
        """Whether folds at random promise more than the groups hold."""
        return self.apart < self.random - DISAGREE


@dataclass(frozen=True)
class Reach:
    """How far the survey reaches: beyond, the share of the accounts not surveyed (or of their
    potential, where that is more) that are less like any surveyed account than any of these is
    like the others; by: what tells them from the surveyed accounts most."""

    beyond: float
    by: str


def survey_groups(screening: Screening, design: Design, answers: Answers) -> Groups:
    """Accounts that a new one may not be like: those of one parent; of one region or segment,
    where only some of these were surveyed; and copies.

    design: the log-log one. Left out one by one, such accounts are foretold by their own kind
    (Roberts et al. 2017, Ecography 40).
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n, rows = len(answers.rows), answers.rows
    pairs = _copies(design.matrix[rows], answers.potential)
    by = "copies" if len(np.unique(pairs)) >= COPIED_LEAST * n else ""
    found = np.arange(n)
    for name, column in screening.places.items():
        label, told = column.to_numpy(str), column.to_numpy(str)[rows]
        levels = set(told) - {""}
        unsurveyed = (~np.isin(label, [*levels, ""])).mean()
        partly = unsurveyed > UNSURVEYED_MOST and len(levels) >= FEWEST_LEVELS
        if len(levels) < (told != "").sum() and (name == "parent" or partly):
            _, first, code = np.unique(told, return_index=True, return_inverse=True)
            found, by = np.where(told == "", found, first[code]), str(name)
            break
    left, right = np.append(np.arange(n), pairs[:, 0]), np.append(found, pairs[:, 1])
    graph = coo_array((np.ones(len(left)), (left, right)), shape=(n, n))
    return Groups(connected_components(graph, directed=False)[1], by)


def _copies(matrix: np.ndarray, potential: np.ndarray) -> np.ndarray:
    """Pairs (m, 2) of rows of matrix (n, p) that are copies."""
    from scipy.spatial import cKDTree

    spread = matrix.std(axis=0)
    columns = matrix[:, spread > 0] / spread[spread > 0]
    reach = COPIES
    if sum(len(np.unique(column)) > VARIED for column in columns.T) < FEWEST_VARIED:
        size = np.log(potential)
        columns = np.column_stack([columns, size / max(size.std(), 1e-9)])
        reach = COPIES_WITH_ANSWER
    return np.asarray(cKDTree(columns).query_pairs(reach, p=np.inf, output_type="ndarray"))


def group_folds(number: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Folds (n,) of about even size that part no group; number: (n,) of the groups."""
    count = np.bincount(number)
    order = rng.permutation(len(count))
    order = order[np.argsort(-count[order], kind="stable")]
    size, fold = np.zeros(min(FOLDS, len(count))), np.empty(len(count), dtype=int)
    for group in order:
        fold[group] = size.argmin()
        size[fold[group]] += count[group]
    return np.asarray(fold[number])


def survey_reach(
    screening: Screening, design: Design, surveyed: np.ndarray, potential: np.ndarray
) -> Reach:
    """Compare the surveyed accounts with all they speak for, by all that is known of these:
    indicators, own sales, region, segment.

    design: the log-log one; surveyed: (N,) bool; potential: (N,) by the formula, currency a year.
    The odds against being surveyed (a logistic regression) of an account beyond the survey's reach
    are longer than those of every surveyed one: none weighted up could stand for it. Deliberate
    oversampling leaves few of them.
    """
    from sklearn.linear_model import LogisticRegression

    sales = screening.sales.reindex(screening.values.index).to_numpy(float)
    parts = [(design.columns[j].indicator, x) for j, x in enumerate(design.matrix.T)]
    parts += [("sales", x) for x in _sales_columns(sales)[:2]]
    for name in screening.places.columns.difference(["parent"]):
        label = screening.places[name]
        if label.nunique() <= LEVELS_MOST:
            parts += [(str(name), (label == level).to_numpy(float)) for level in label.unique()]
    parts = [(name, x) for name, x in parts if np.ptp(x) > 0]
    if surveyed.all() or not parts:
        return Reach(0.0, "")
    matrix = np.column_stack([x for _, x in parts])
    matrix = (matrix - matrix.mean(axis=0)) / matrix.std(axis=0)
    model = LogisticRegression(max_iter=500).fit(matrix, surveyed)
    against, left = -model.decision_function(matrix), ~surveyed
    beyond = left & (against > against[surveyed].max())
    share = max(float(beyond[left].mean()), float(potential[beyond].sum() / potential[left].sum()))
    if not beyond.any():
        return Reach(share, "")
    gap = np.abs(matrix[beyond].mean(axis=0) - matrix[surveyed].mean(axis=0))
    return Reach(share, parts[int(gap.argmax())][0])


def _sales_columns(sales: np.ndarray) -> list[np.ndarray]:
    """Whether an account buys, the log of its sales and its square (N,); none without sales."""
    buys = sales > 0
    if not buys.any():
        return []
    size = np.log(np.maximum(sales, sales[buys].min()))
    size = np.where(buys, size - size[buys].mean(), 0.0)
    return [buys.astype(float), size, size**2]


def answer_weights(log_sd: np.ndarray, scale: float) -> tuple[np.ndarray, float]:
    """Weights (n,) of answers that are measured with error, mean 1, and what is left of the scale
    of the formula's misses once the error of measuring is out of them.

    log_sd: (n,) standard errors in logs, nought for a survey's answer; scale: that of the misses
    in logs. A measurement counts by the inverse of its variance and the formula's together (Fay &
    Herriot 1979); of the misses' variance at least a quarter is taken for the formula's own.
    """
    variance = log_sd**2
    between = max(scale**2 - float(np.median(variance)), 0.25 * scale**2, 1e-12)
    weights = 1 / (between + variance)
    noise = float(np.average(variance, weights=weights))
    return weights / weights.mean(), float(np.sqrt(between / (between + noise)))


def survey_bias(matrix: np.ndarray, sales: np.ndarray, surveyed: np.ndarray) -> SurveyBias:
    """Weights for a survey that own sales decided.

    matrix: (N, p) log-log design; sales: (N,) currency a year; surveyed: (N,) bool. Where sales
    say nothing beyond the indicators, the formula needs no weights (they would only add noise);
    where they do, inverse odds of being surveyed make the survey stand for the accounts that
    were not (Horvitz & Thompson 1952; odds weights, Hirano, Imbens & Ridder 2003).
    """
    from scipy.stats import chi2
    from sklearn.linear_model import LogisticRegression

    count = int(surveyed.sum())
    plain = SurveyBias(np.ones(count))
    extra = [x for x in _sales_columns(sales) if x.std() > 1e-12]
    if count == len(surveyed) or count < FEWEST_ASKED or not extra:
        return plain
    both = np.column_stack([matrix, *extra])
    both = (both - both.mean(axis=0)) / np.maximum(both.std(axis=0), 1e-12)

    def deviance(columns: np.ndarray) -> tuple[float, np.ndarray]:
        p = np.full(len(surveyed), surveyed.mean())
        if columns.shape[1]:
            model = LogisticRegression(C=10.0, max_iter=300).fit(columns, surveyed)
            p = model.predict_proba(columns)[:, 1].clip(1e-6, 1 - 1e-6)
        return float(-2 * np.where(surveyed, np.log(p), np.log(1 - p)).sum()), p

    without, _ = deviance(both[:, : matrix.shape[1]])
    with_sales, chance = deviance(both)
    p_value = float(chi2.sf(max(without - with_sales, 0.0), len(extra)))
    if not p_value < BIAS_LEVEL:  # nor where it is not a number
        return SurveyBias(plain.weights, p_value)
    odds = ((1 - chance) / chance)[surveyed]
    odds = np.minimum(odds, WEIGHT_CUT * np.median(odds))
    return SurveyBias(odds / odds.mean(), p_value)
