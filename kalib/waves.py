"""Two waves of a study compared: what changed, and what of it is more than noise."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kalib.errors import Problem, StudyError
from kalib.study import ZONES

REAL = 0.9  # probability from which a move between zones is called real
ROUNDS = 500
CHANCES = [f"p_{zone}" for zone in ZONES]


@dataclass(frozen=True)
class Waves:
    """What changed between two runs.

    moves: DataFrame indexed by account (name, before, after: zones; probability that the true
    zone changed), accounts whose zone differs. transitions: DataFrame (4, 4) of the estimated
    true share of accounts going from a zone (rows) to a zone (columns). formula: DataFrame
    (term, before, after, z, p_value). share: market share before and after and its change in
    natural logs, split exactly. turnover: key accounts kept, gained, lost. targets: DataFrame by
    zone (accounts, target_sales, sales, attained).
    """

    moves: pd.DataFrame
    transitions: pd.DataFrame
    formula: pd.DataFrame
    share: Mapping[str, float]
    turnover: Mapping[str, int]
    targets: pd.DataFrame

    def to_json(self) -> dict[str, Any]:
        """The content of waves.json."""
        real = self.moves["probability"] >= REAL
        return {
            "moved": len(self.moves),
            "moved_really": int(real.sum()),
            "turnover": dict(self.turnover),
            "share": dict(self.share),
            "transitions": self.transitions.round(4).to_dict(orient="index"),
            "formula": self.formula.to_dict(orient="records"),
            "targets": self.targets.reset_index().to_dict(orient="records"),
            "moves": self.moves.reset_index().to_dict(orient="records"),
        }


def compare_waves(before: Path, after: Path) -> Waves:
    """Compare two runs' folders. Raises StudyError where one is no run or they share nothing."""
    first, second = _accounts(before), _accounts(after)
    common = first.index.intersection(second.index)
    if len(common) == 0:
        raise StudyError(
            Problem("the two runs have no account in common", file="accounts.csv",
                    remedy="Compare two waves of the same study")
        )  # fmt: skip
    first_all, second_all = first, second
    first, second = first.loc[common], second.loc[common]
    placed = (first["zone"] != "") & (second["zone"] != "")
    joint, posterior = estimate_transitions(
        first.loc[placed, CHANCES].to_numpy(), second.loc[placed, CHANCES].to_numpy()
    )
    chance = 1 - np.einsum("nzz->n", posterior)
    moves = pd.DataFrame(
        {
            "name": second.loc[placed, "name"],
            "before": first.loc[placed, "zone"],
            "after": second.loc[placed, "zone"],
            "probability": chance.round(4),
        }
    )
    moves = moves[moves["before"] != moves["after"]]
    old = set(first_all.index[first_all["key_account"]])
    new = set(second_all.index[second_all["key_account"]])
    return Waves(
        moves=moves.sort_values("probability", ascending=False, kind="stable"),
        transitions=pd.DataFrame(joint, index=list(ZONES), columns=list(ZONES)),
        formula=_formula_drift(before, after),
        share=_share_change(first[placed], second[placed]),
        turnover={"kept": len(old & new), "gained": len(new - old), "lost": len(old - new)},
        targets=_targets_met(first, second),
    )


def estimate_transitions(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How accounts truly moved, given their zone probabilities (n, 4) in two waves.

    Returns the joint distribution (4, 4) and each account's posterior over it (n, 4, 4). Noise
    sends many accounts over a border and back; the EM algorithm learns from all accounts how many
    moves there really were, so that an account's move is believed the less the rarer such moves
    are (regression to the mean).
    """
    floor = 1e-6
    marginals = [np.maximum(p.mean(axis=0), floor) for p in (first, second)]
    evidence = [np.maximum(p, floor) / m for p, m in zip((first, second), marginals, strict=True)]
    likelihood = evidence[0][:, :, None] * evidence[1][:, None, :]
    joint = 0.5 * np.diag((marginals[0] + marginals[1]) / 2)
    joint = joint + 0.5 * np.outer(*marginals)
    joint /= joint.sum()
    posterior = likelihood
    for _ in range(ROUNDS):
        posterior = joint * likelihood
        posterior /= posterior.sum(axis=(1, 2), keepdims=True)
        update = posterior.mean(axis=0)
        if np.abs(update - joint).max() < 1e-9:
            break
        joint = update
    return joint, posterior


def _accounts(run: Path) -> pd.DataFrame:
    try:
        table = pd.read_parquet(run / "accounts.parquet")
    except (OSError, ValueError) as error:
        raise StudyError(
            Problem("there is no finished run here", file=str(run), remedy="Give a report's folder")
        ) from error
    return table.astype({"account": "str"}).set_index("account")


def _formula_drift(before: Path, after: Path) -> pd.DataFrame:
    """Coefficients of both formulas, and whether they differ by more than their errors."""
    from scipy.special import ndtr

    sides = []
    for run in (before, after):
        formula = json.loads((run / "formula.json").read_text(encoding="utf-8"))
        sides.append(
            {
                f"{t['transform']} {t['indicator']} {t['level'] or ''}".strip(): t
                for t in formula["terms"]
            }
        )
    rows = []
    for term in dict.fromkeys([*sides[0], *sides[1]]):
        pair = [side.get(term) for side in sides]
        z = None
        if pair[0] and pair[1]:
            error = np.hypot(pair[0]["std_error"], pair[1]["std_error"])
            z = float((pair[1]["coefficient"] - pair[0]["coefficient"]) / error)
        rows.append(
            {
                "term": term,
                "before": pair[0]["coefficient"] if pair[0] else None,
                "after": pair[1]["coefficient"] if pair[1] else None,
                "z": z,
                "p_value": None if z is None else float(2 * ndtr(-abs(z))),
            }
        )
    return pd.DataFrame(rows, columns=["term", "before", "after", "z", "p_value"])


def _share_change(first: pd.DataFrame, second: pd.DataFrame) -> dict[str, float]:
    """Market share of the common accounts; its change in logs is sales less potential, and each
    of these is a sum over accounts by logarithmic-mean weights (Vartia 1976): exact."""
    totals = [[frame[name].sum() for frame in (first, second)] for name in ("sales", "potential")]
    (sales1, sales2), (potential1, potential2) = totals
    if min(sales1, sales2, potential1, potential2) <= 0:
        return {}
    measured = (first["potential_source"] == "measured") & (
        second["potential_source"] == "measured"
    )
    weight = _log_mean(second["potential"], first["potential"]) / _log_mean(potential2, potential1)
    growth = weight * np.log(second["potential"] / first["potential"])
    return {
        "before": float(sales1 / potential1),
        "after": float(sales2 / potential2),
        "log_change": float(np.log(sales2 / sales1) - np.log(potential2 / potential1)),
        "from_own_sales": float(np.log(sales2 / sales1)),
        "from_measured_potential": float(-growth[measured].sum()),
        "from_estimated_potential": float(-growth[~measured].sum()),
    }


def _log_mean(a: Any, b: Any) -> Any:
    """Logarithmic mean (a - b) / ln(a / b), a where both are equal."""
    ratio = np.log(a / b)
    near = np.abs(ratio) < 1e-9
    return np.where(near, a, (a - b) / np.where(near, 1.0, ratio))


def _targets_met(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Last wave's targets against this wave's sales, by last wave's zone."""
    rows = []
    for zone in ZONES:
        part = first[first["zone"] == zone]
        aim, got = part["target_sales"].sum(), second.loc[part.index, "sales"].sum()
        rows.append(
            {"zone": zone, "accounts": len(part), "target_sales": float(aim), "sales": float(got),
             "attained": float(got / aim) if aim > 0 else None}
        )  # fmt: skip
    return pd.DataFrame(rows).set_index("zone")
