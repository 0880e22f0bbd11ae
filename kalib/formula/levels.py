"""What each level of a text indicator says, be it one that few or no surveyed accounts have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from kalib.formula.fitting import Fit


def level_effects(fit: Fit) -> list[dict[str, Any]]:
    """What to expect of each level of the text indicators of a formula, as in formula.json.

    One record an indicator: levels and other, the latter of levels never surveyed; coefficient:
    what is added on the working scale; ratio, smearing: what the spread and the smearing factor
    are multiplied by. Other levels have the mean of the known ones and their variance besides; one
    surveyed seldom has its mean error, drawn to that mean (best linear unbiased prediction:
    Robinson 1991).
    """
    formula, found = fit.formula, []
    names = [t.column.indicator for t in formula.terms if t.column.transform == "level"]
    if formula.spread:
        names.append(formula.spread.indicator)
    for name in dict.fromkeys(names):
        own = formula.spread if formula.spread and formula.spread.indicator == name else None
        shifts = dict.fromkeys(own.ratio if own else (), (0.0, 0.0)) | _shifts(fit, name)
        effects = []
        for level, (shift, extra) in shifts.items():
            ratio = own.ratio.get(level, 1.0) if own else 1.0
            factor = own.smearing.get(level, formula.smearing) if own else formula.smearing
            variance = 0.0 if formula.form == "linear" else extra * _within(fit)
            effects.append({
                "level": level,
                "coefficient": float(shift),
                "ratio": float(ratio * np.sqrt(1 + extra)),
                "smearing": float(factor / formula.smearing * np.exp(variance / 2)),
            })  # fmt: skip
        found.append({"indicator": name, "levels": effects[:-1], "other": effects[-1]})
    return found


def unseen_variance(fit: Fit) -> np.ndarray:
    """What is not known of the levels that no surveyed account has: its variance (N,), over that of
    the formula's errors."""
    values, found = fit.screening.values, np.zeros(len(fit.working))
    terms = [term.column for term in fit.formula.terms]
    for name in dict.fromkeys(term.indicator for term in terms if term.transform == "level"):
        level = values[name].astype(str)
        unseen = ~level.isin(level.iloc[fit.working_rows].unique())
        if unseen.any():
            found += unseen.to_numpy() * _shifts(fit, name)[""][1]
    return found


def _within(fit: Fit) -> float:
    """Variance of the errors on the working scale."""
    return max(fit.formula.sigma**2, 1e-12)


def _shifts(fit: Fit, name: str) -> dict[str, tuple[float, float]]:
    """Level -> what is added, and the variance of what is not known of it, over that of the errors;
    that of others, "", stands last."""
    terms = [term for term in fit.formula.terms if term.column.indicator == name]
    if not terms:
        return {"": (0.0, 0.0)}
    observed = fit.oof["observed"].to_numpy(float)
    response = observed if fit.formula.form == "linear" else np.log(observed)
    believed = ~fit.oof["suspect"].to_numpy()
    level = fit.screening.values[name].iloc[fit.working_rows].astype(str)
    known = [str(level.value_counts().index[0]), *(term.column.level for term in terms)]
    coef = np.array([0.0, *(term.coefficient for term in terms)])
    chance = np.array([0.0, *(term.std_error for term in terms)]) ** 2
    mass = level[believed].value_counts().reindex(known).fillna(0).to_numpy(float)
    mass, count = mass / mass.sum(), len(known)
    mean = float(mass @ coef)
    variance = max(float(mass @ ((coef - mean) ** 2 - chance)), 0.0) * count / (count - 1)
    between = variance / _within(fit)
    error = pd.Series(response - fit.working[fit.working_rows], level.to_numpy())
    found = {level: (own, 0.0) for level, own in zip(known, coef.tolist(), strict=True)}
    for rare, errors in error[believed & ~level.isin(known).to_numpy()].groupby(level=0):
        trust = len(errors) * between / (1 + len(errors) * between)
        found[str(rare)] = mean + trust * (errors.mean() - mean), between * (1 - trust)
    return {**found, "": (mean, between * (1 + 1 / count))}
