"""Two waves of a study compared: what changed, and what of it is more than noise."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kalib.analysis import Analysis, analyze
from kalib.errors import StudyError
from kalib.formula.distribution import Distribution
from kalib.formula.formula import Formula
from kalib.matrix.matrix import CHANCES
from kalib.plan.proof import Reading, read_proof
from kalib.study.kept import kept
from kalib.study.settings import ZONES, Cut, MatrixSettings
from kalib.waves.drift import NO_DRIFT, Drift, log_mean, measure_drift, split_share_change
from kalib.waves.moves import SHARED, estimate_transitions, move_probability, persistence

REAL = 0.9  # probability from which a move between zones is called real
MOST_GROWTH = 3.0  # of the middle account in a wave; beyond it the unit is another
LEARNED = "learning.parquet"  # in a run's folder: what the formula was learned from
INDICATOR = "indicator "  # before the client's column, which may have any name


@dataclass(frozen=True)
class Wave:
    """One wave.

    accounts: as accounts.csv, by account; learned: by account observed potential, error of the
    formula (standardized, out of fold), mean and sd of log potential, prior_mean and prior_sd by
    the formula alone, loadings of what accounts' errors share, and the indicators; settings: of
    the matrix; currency: unit of sales and potential, "" where the study does not say; holdout:
    the fraction of the attack list that was to be left as it is.
    """

    period: str
    currency: str
    accounts: pd.DataFrame
    formula: Formula
    learned: pd.DataFrame
    market_share: float
    settings: MatrixSettings
    holdout: float = 0.0

    @classmethod
    def read(cls, run: Path) -> Wave:
        """The wave of a finished run. Raises StudyError where the folder holds none."""
        try:
            table = pd.read_parquet(run / "accounts.parquet")
            learned = pd.read_parquet(run / LEARNED).set_index("account")
            files = [run / f"{name}.json" for name in ("formula", "summary", "run")]
            formula, summary, about = (json.loads(file.read_text("utf-8")) for file in files)
        except (OSError, ValueError) as error:
            remedy = "Give a report's folder; a report of an earlier version is made anew first"
            raise StudyError("there is no finished run here", str(run), remedy=remedy) from error
        accounts = table.astype({"account": "str"}).set_index("account")
        asked = about["parameters"]
        share, matrix = summary["market_share"], dict(asked["matrix"])
        matrix["potential_cut"] = Cut(**matrix["potential_cut"])
        return cls(
            about["period"], asked["study"]["currency"], accounts,
            Formula.from_json(formula), learned, float("nan") if share is None else share,
            MatrixSettings.model_validate(matrix), asked.get("proof", {}).get("holdout", 0.0),
        )  # fmt: skip

    def indicators(self, accounts: pd.Index) -> pd.DataFrame:
        """Complete indicator values of some accounts."""
        frame = self.learned.loc[accounts].filter(regex=f"^{INDICATOR}")
        return frame.rename(columns=lambda name: name.removeprefix(INDICATOR))


@dataclass(frozen=True)
class Waves:
    """What changed between two waves.

    periods: the two; moves: DataFrame indexed by account (name, before, after: zones; potential
    and sow after; probability that the true zone changed), accounts whose zone differs.
    transitions: DataFrame (4, 4), accounts by zone before (rows) and after (columns). drift:
    whether the formula changed. share: market share before and after and its change in natural
    logs, split exactly, see `split_share_change`. turnover: key accounts kept, gained, lost.
    targets: DataFrame by zone (accounts, target_sales, sales, attained). ledger: DataFrame
    (grouping, group, accounts, sales: of the wave before, asked, came: growth, currency a year),
    what the accounts that were asked for growth brought, by zone, by action and by the rep of the
    wave before. promised: how many attack accounts that wave asked for growth, those gone since
    among them, and for how much. proof: what the holdout of the wave before says, None without one.
    persistence: correlation of the formula's errors from wave to wave, None where too few accounts
    were surveyed twice.
    """

    periods: tuple[str, str]
    moves: pd.DataFrame
    transitions: pd.DataFrame
    drift: Drift
    share: Mapping[str, float]
    turnover: Mapping[str, int]
    targets: pd.DataFrame
    ledger: pd.DataFrame
    promised: tuple[int, float]
    proof: Reading | None
    persistence: float | None

    @property
    def share_points(self) -> pd.DataFrame:
        """What moved market share (step, points): the share before, parts that add up exactly, the
        share after, all fractions; no rows where it is not known."""
        share = self.share
        if not share:
            return pd.DataFrame(columns=["step", "points"])
        # A log change times the logarithmic mean of both shares is points of share, exactly.
        unit = float(log_mean(share["after"], share["before"]))
        moved = {name: unit * part for name, part in share.items() if name.startswith("from_")}
        steps = {"share_before": share["before"], **moved, "share_after": share["after"]}
        return pd.DataFrame({"step": list(steps), "points": list(steps.values())})

    @property
    def real(self) -> pd.DataFrame:
        """The moves that are more than noise."""
        return self.moves[self.moves["probability"] >= REAL]

    def to_json(self) -> dict[str, Any]:
        """The content of waves.json."""
        return {
            "before": self.periods[0], "after": self.periods[1],
            "moved": len(self.moves), "moved_really": len(self.real),
            "turnover": dict(self.turnover), "share": dict(self.share),
            "persistence": self.persistence,
            "transitions": self.transitions.to_dict(orient="index"),
            "formula": self.drift.terms.to_dict(orient="records"),
            "chow": self.drift.tests.to_dict(orient="records"),
            "targets": self.targets.reset_index().to_dict(orient="records"),
            "ledger": self.ledger.to_dict(orient="records"),
            "proof": None if self.proof is None else self.proof.to_json(),
            "moves": self.moves.reset_index().to_dict(orient="records"),
        }  # fmt: skip


def read_wave(source: Analysis | Path | str) -> Wave:
    """The wave of a run's folder, or of a study that has not been run.

    Parameters
    ----------
    source : Analysis, Path or str
        What `analyze` gave, a report's folder, a study.toml or its folder.

    Raises
    ------
    StudyError
        Where there is neither.
    """
    if not isinstance(source, Analysis):
        path = Path(source)
        if (path / "run.json").is_file() or not (path / "study.toml").is_file():
            return Wave.read(path)
        source = analyze(path)
    return Wave(
        source.study.period, source.study.currency, source.plan.accounts, source.fit.formula,
        learned_from(source), source.matrix.market_share, source.study.matrix,
        source.study.proof.holdout,
    )  # fmt: skip


def learned_from(analysis: Analysis) -> pd.DataFrame:
    """What a wave's formula was learned from and what it knows of each account, by account."""
    fit, wallet = analysis.fit, analysis.wallet
    index = wallet.accounts.index
    prior = _log_normal(fit.distribution)
    rows = fit.working_rows
    aside = fit.predictive.potential(fit.oof_working, fit.spread[rows])
    believed = ~fit.oof["suspect"].to_numpy()
    error = (np.log(fit.oof["observed"]) - _log_normal(aside)[0]) / prior[1][rows]
    mean, sd = _log_normal(wallet.distribution)
    frame = pd.DataFrame(
        {"observed": fit.oof["observed"].reindex(index), "error": error[believed].reindex(index),
         "mean": mean, "sd": sd, "prior_mean": prior[0], "prior_sd": prior[1]}, index=index,
    )  # fmt: skip
    shared = pd.DataFrame(wallet.loadings, index=index).add_prefix(SHARED)
    return pd.concat([frame, shared, analysis.screening.values.add_prefix(INDICATOR)], axis=1)


def read_in_order(one: Path, other: Path) -> tuple[Wave, Wave, Path]:
    """The waves of two runs, the earlier first, and the folder of the later; periods are compared
    as text: 2025 before 2026, 2026-Q1 before 2026-Q2."""
    first, second = ((Wave.read(run), run) for run in (one, other))
    if first[0].period == second[0].period:
        remedy = "Give each wave a [study] period of its own and run it again"
        said = f"both runs are of the period {first[0].period}"
        raise StudyError(said, "study.toml", remedy=remedy)
    (earlier, _), (later, folder) = sorted((first, second), key=lambda wave: wave[0].period)
    return earlier, later, folder


@kept
def compare_waves(before: Wave, after: Wave) -> Waves:
    """Compare two waves of a study: what changed, and what of it is more than noise.

    Parameters
    ----------
    before, after : Wave
        Of `read_wave`.

    Returns
    -------
    Waves
        `moves` says of each account that shows another zone how likely its true one changed.

    Raises
    ------
    StudyError
        Where the waves share no account, or have other units.
    """
    common = before.accounts.index.intersection(after.accounts.index)
    if len(common) == 0:
        raise StudyError("the two runs have no account in common", file="accounts.csv",
                         remedy="Compare two waves of the same study")  # fmt: skip
    first, second = before.accounts.loc[common], after.accounts.loc[common]
    _refuse_other_units(before, after, first, second)
    placed = common[(first["zone"] != "") & (second["zone"] != "")]
    rho = persistence(*(w.learned.loc[placed, "error"].to_numpy(float) for w in (before, after)))
    if rho is None:
        chances = [wave.accounts.loc[placed, CHANCES].to_numpy(float) for wave in (before, after)]
        moved = 1 - np.einsum("nzz->n", estimate_transitions(*chances)[1])
    else:
        earlier = before.learned.loc[placed].assign(sales=first["sales"])
        later = after.learned.loc[placed].assign(sales=second["sales"])
        moved = move_probability((earlier, later), (before.settings, after.settings), rho)
    moves = pd.DataFrame({
        "name": second.loc[placed, "name"], "before": first.loc[placed, "zone"],
        "after": second.loc[placed, "zone"], "potential": second.loc[placed, "potential"],
        "sow": second.loc[placed, "sow"], "probability": moved.round(4),
    })  # fmt: skip
    counts = pd.crosstab(moves["before"], moves["after"])
    moves = moves[moves["before"] != moves["after"]]
    drift = _drift(before, after)
    asked = before.accounts.query("zone == 'attack' and target_growth > 0")["target_growth"]
    each = first.assign(accounts=1, sales=second["sales"]).fillna({"target_sales": 0.0})
    met = each.groupby("zone")[["accounts", "target_sales", "sales"]].sum()
    met = met.reindex(list(ZONES), fill_value=0)
    met["attained"] = met["sales"] / met["target_sales"].where(met["target_sales"] > 0)
    old, new = (set(w.accounts.index[w.accounts["key_account"]]) for w in (before, after))
    return Waves(
        periods=(before.period, after.period),
        moves=moves.sort_values("probability", ascending=False, kind="stable"),
        transitions=counts.reindex(index=ZONES, columns=ZONES, fill_value=0),
        drift=drift,
        share=split_share_change(
            (first.loc[placed], second.loc[placed]), (before.market_share, after.market_share),
            _growth(before, after, placed, drift.level),
        ),
        turnover={"kept": len(old & new), "gained": len(new - old), "lost": len(old - new)},
        targets=met,
        ledger=_ledger(first, second),
        promised=(len(asked), float(asked.sum())),
        proof=read_proof(first, second["sales"], before.holdout) if before.holdout else None,
        persistence=rho,
    )  # fmt: skip


def _refuse_other_units(
    before: Wave, after: Wave, first: pd.DataFrame, second: pd.DataFrame
) -> None:
    """Refuse waves in two currencies, or whose figures say so: sales and potential of the middle
    account (first, second: those in both waves) have grown or shrunk together beyond belief."""
    remedy = "Give both waves in one currency and unit, for one length of time, and run them again"
    units = [wave.currency.strip().casefold() for wave in (before, after)]
    if all(units) and units[0] != units[1]:
        said = f"{before.period} is in {before.currency}, {after.period} in {after.currency}"
        raise StudyError(said, "study.toml", remedy=remedy)
    old, new = (frame[["sales", "potential"]].astype(float) for frame in (first, second))
    growth = (new / old).where((old > 0) & (new > 0)).median().dropna()
    if growth.min() > MOST_GROWTH or growth.max() < 1 / MOST_GROWTH:
        said = (f"the middle account's figures of {after.period} are {growth.iloc[0]:.3g} times "
                f"those of {before.period}: another unit")  # fmt: skip
        raise StudyError(said, "accounts.csv", remedy=remedy)


def _drift(before: Wave, after: Wave) -> Drift:
    """The later formula's drift; none is known where the earlier wave lacks an indicator."""
    waves = [(wave, wave.learned["error"].dropna().index) for wave in (before, after)]
    surveys = [wave.indicators(known) for wave, known in waves]
    observed = [wave.learned.loc[known, "observed"].to_numpy(float) for wave, known in waves]
    wanted = set(after.formula.indicators)
    if not wanted or not wanted <= set(surveys[0].columns):
        return NO_DRIFT
    return measure_drift(after.formula, surveys, observed)


def _growth(before: Wave, after: Wave, placed: pd.Index, level: float) -> dict[str, np.ndarray]:
    """Each account's log change of potential, told apart: its indicators, the market's level, and
    the formula learned anew; {} where a formula can't be applied to the other wave."""
    tables = [wave.indicators(placed) for wave in (before, after)]
    needs = [set(wave.formula.indicators) for wave in (before, after)]
    if not all(needs) or not (needs[0] <= set(tables[1]) and needs[1] <= set(tables[0])):
        return {}
    old = [np.log(before.formula.potential(table).to_numpy()) for table in tables]
    new = np.log(after.formula.potential(tables[1]).to_numpy())
    if after.formula.form == "linear":
        level = float(level / np.exp(new).mean())  # currency a year as a share of potential
    market = np.full(len(placed), level)
    return {"account_growth": old[1] - old[0], "market": market, "formula": new - old[1] - market}


def _ledger(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """What was asked of each group of accounts, and what came (`Waves.ledger`)."""
    asked = first[first["target_growth"] > 0]
    each = asked.assign(came=second["sales"] - first["sales"], asked=asked["target_growth"])
    each = each.assign(accounts=1)
    sums = ["accounts", "sales", "asked", "came"]
    parts = [each.groupby(by)[sums].sum().assign(grouping=by)
             for by in ("zone", "action", "rep") if by in each]  # fmt: skip
    return pd.concat(parts).rename_axis("group").reset_index()[["grouping", "group", *sums]]


def _log_normal(potential: Distribution) -> tuple[np.ndarray, np.ndarray]:
    """Middle (n,) and standard deviation (n,) of log potential, by its 16, 50 and 84 % points."""
    table = potential.table.astype(float)
    places = [round(level * table.shape[1] - 0.5) for level in (0.1587, 0.5, 0.8413)]
    low, middle, high = np.log(np.maximum(table[:, places], 1e-300)).T
    return middle, np.maximum((high - low) / 2, 1e-9)
