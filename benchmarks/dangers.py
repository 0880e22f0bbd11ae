"""Worlds of known truth that real studies resemble more than they wish: what becomes of kalib, of
LassoCV with own sales, and of the oracle that knows how the world was made.

python benchmarks/dangers.py [seeds] [world ...] prints one row a world.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys
import tempfile
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit, ndtri
from scipy.stats import beta
from worlds import top_fifth

from generators.simulate import Simulated, write_study
from kalib.analysis import analyze

N, SURVEYED, SEEDS, DRAWS = 600, 120, 20, 2000
SOUND = ("sound", "heavy", "sow by indicator", "sow by residual", "null", "spatial", "levels",
         "bimodal", "chains", "oversampled")  # fmt: skip
UNSOUND = ("one region", "large only", "low only", "understated", "chains, no information")


@dataclass(frozen=True)
class World:
    """accounts: (N rows) of the client; odds: (N,) of being surveyed; answered: factor on the
    answers; middle: (N,) of log potential, of which the rest is noise; draw: of the noise (N,
    DRAWS), as it truly is; mean_logit: of SOW (N, DRAWS) given the noise.
    """

    accounts: pd.DataFrame
    candidates: list[str]
    potential: np.ndarray
    odds: np.ndarray
    answered: float
    middle: np.ndarray
    draw: Callable[[np.random.Generator], np.ndarray]
    mean_logit: Callable[[np.ndarray], np.ndarray]


def simulate(kind: str, seed: int) -> World:
    """One world; sow given potential is a beta distribution of a + b = 6, zero for one in ten."""
    rng = np.random.default_rng([*kind.encode(), seed])
    z = np.sqrt(0.3) * rng.standard_normal((N, 1)) + np.sqrt(0.7) * rng.standard_normal((N, 6))
    frame = pd.DataFrame(np.exp(3 + 0.6 * z).round(2), columns=[f"x{j + 1}" for j in range(6)])
    names, region = list(frame), rng.integers(0, 8, N)
    middle, sd, level, slope = 9 + z[:, :3] @ [0.6, 0.4, 0.3], 0.4, np.full(N, -0.7), 0.0
    draw: Callable[[np.random.Generator], np.ndarray]
    draw = lambda r: sd * r.standard_normal((N, DRAWS))  # noqa: E731
    noise = sd * rng.standard_normal(N)
    if kind == "heavy":
        draw, noise = lambda r: 0.3 * r.standard_t(3, (N, DRAWS)), 0.3 * rng.standard_t(3, N)
    if kind == "bimodal":
        draw = lambda r: 0.25 * r.standard_normal((N, DRAWS)) + 1.6 * (r.random((N, DRAWS)) < 0.3)  # noqa: E731
        noise = 0.25 * rng.standard_normal(N) + 1.6 * (rng.random(N) < 0.3)
    if kind in ("null", "chains, no information"):
        middle, sd = np.full(N, 9.0), 0.8
        noise = sd * rng.standard_normal(N)
    if kind == "sow by indicator":
        level = level + 0.8 * z[:, 3]
    if kind == "sow by residual":
        slope = -1.5
    if kind == "spatial":
        at = rng.random((N, 2))
        frame[["east", "north"]] = at.round(4)
        names += ["east", "north"]
        middle = middle + 0.6 * np.sin(5 * at[:, 0]) * np.cos(5 * at[:, 1])
    if kind == "levels":
        level_of = rng.choice(40, N, p=(w := 1 / np.arange(1, 41)) / w.sum())
        frame["kind"], names = [f"kind {k}" for k in level_of], [*names, "kind"]
        middle = middle + 0.5 * rng.standard_normal(40)[level_of]
    odds = np.ones(N)
    if kind.startswith("chains"):
        chain = rng.integers(0, 50, N)
        frame["chain"] = [f"chain {k}" for k in chain]
        common, own = (0.4, 0.25) if kind == "chains" else (0.7, 0.3)
        noise = common * rng.standard_normal(50)[chain] + own * rng.standard_normal(N)
        sd = float(np.hypot(common, own))
        odds = (chain < 12).astype(float)
        if kind != "chains":
            frame["x1"] = np.exp(rng.standard_normal(50))[chain].round(3)
    if kind == "one region":
        middle = middle + 0.5 * rng.standard_normal(8)[region]
        frame.loc[region > 0, "x1"] *= 4
        middle[region > 0] += 0.3
        odds = (region == 0) + 1e-12
    logs = middle + noise
    share = beta_draw(rng, level + slope * noise)
    share[rng.random(N) < 0.1] = 0
    potential = np.exp(logs)
    sales = (potential * share).round(2)
    top = pd.Series(middle).rank(pct=True).to_numpy()
    if kind == "large only":
        odds = (top > 0.75).astype(float)
    if kind == "low only":
        odds = (top < 0.25).astype(float)
    if kind == "oversampled":
        odds = np.where(top > 0.8, 4.0, 1.0)
    frame.insert(0, "sales", sales)
    frame.insert(0, "region", [f"region {k}" for k in region])
    frame.insert(0, "account", [f"{k:04d}" for k in range(N)])
    answered = 0.6 if kind == "understated" else 1.0
    return World(frame, names, potential, odds, answered, middle, draw,
                 lambda noise: level[:, None] + slope * noise)  # fmt: skip


def beta_draw(rng: np.random.Generator, logit: np.ndarray) -> np.ndarray:
    """Shares of wallet with these logits of their means."""
    mean = expit(logit)
    return rng.beta(6 * mean, 6 * (1 - mean))


def oracle(world: World, rng: np.random.Generator) -> np.ndarray:
    """Mean of each potential (N,) given its indicators and sales, by the world's own law."""
    noise = world.draw(rng)
    potential = np.exp(world.middle[:, None] + noise)
    sales = world.accounts["sales"].to_numpy()[:, None]
    mean, share = expit(world.mean_logit(noise)), np.minimum(sales / potential, 1 - 1e-9)
    density = beta.pdf(share, 6 * mean, 6 * (1 - mean)) / potential * (sales < potential)
    weight = np.where(sales > 0, density, 1.0) + 1e-300
    return (weight * potential).sum(axis=1) / weight.sum(axis=1)


def lasso(world: World, asked: np.ndarray) -> np.ndarray:
    """Potential (N,) by LassoCV of its log on logs of the indicators and of sales."""
    from sklearn.linear_model import LassoCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    frame = world.accounts
    plain = frame[world.candidates].select_dtypes("number")
    sales = frame["sales"].to_numpy()
    own = np.log(np.where(sales > 0, sales, sales[sales > 0].min() / 2))
    texts = [n for n in world.candidates if n not in plain]
    dummies = (
        pd.get_dummies(frame[texts], dtype=float) if texts else pd.DataFrame(index=frame.index)
    )
    matrix = np.column_stack([np.log(plain.clip(lower=1e-4)), dummies, own, sales <= 0])
    model = make_pipeline(StandardScaler(), LassoCV(cv=5, random_state=0, max_iter=20_000))
    aim = np.log(world.potential[asked] * world.answered)
    return np.exp(model.fit(matrix[asked], aim).predict(matrix))


def measure(kind: str, seed: int) -> dict[str, float | str]:
    """One world's figures."""
    warnings.simplefilter("ignore")
    world = simulate(kind, seed)
    rng = np.random.default_rng(seed)
    many = min(SURVEYED, int((world.odds > 1e-6).sum()))
    odds = world.odds / world.odds.sum()
    asked = np.sort(rng.choice(N, many, replace=False, p=odds))
    answers = world.accounts.iloc[asked][["account"]]
    answers = answers.assign(potential=(world.potential[asked] * world.answered).round(2))
    settings = {"columns.region": '"region"'}
    settings |= {"columns.parent": '"chain"'} if "chain" in world.accounts else {}
    truth = pd.DataFrame({"account": world.accounts["account"], "potential": world.potential})
    study = Simulated(world.accounts, answers, truth, tuple(world.candidates), ())
    with tempfile.TemporaryDirectory() as folder:
        write_study(study, Path(folder))
        analysis = analyze(folder, settings=settings)
    accounts = analysis.wallet.accounts.reindex(world.accounts["account"])
    left = ~accounts.index.isin(answers["account"])
    truth, point = world.potential, accounts["potential"].to_numpy(float, copy=True)
    inside = (accounts["potential_low"] <= truth) & (truth <= accounts["potential_high"])
    share, wallet = world.accounts["sales"].sum() / truth.sum(), analysis.wallet
    ends = np.log([wallet.market_share_low, wallet.market_share, wallet.market_share_high])
    off = (np.log(share) - ends[1]) / (ends[2] - ends[0]) * 2 * ndtri(0.95)
    lists = {"kalib": point, "Lasso": lasso(world, asked), "oracle": oracle(world, rng)}
    for values in lists.values():
        values[asked] = truth[asked] * world.answered
    answered = np.isfinite(point).mean()
    return {
        "kind": kind,
        **{
            f"hit {name}": top_fifth(pd.Series(v).fillna(0.0), pd.Series(truth))
            for name, v in lists.items()
        },
        "answered": answered,
        "coverage": float(inside[left].mean()) if answered == 1 else float("nan"),
        "market share": float(off) if answered == 1 else float("nan"),
        "total": float(np.nansum(point) / truth.sum() - 1) if answered == 1 else float("nan"),
        "set aside": float(len(analysis.fit.suspects)),
        "verdict": analysis.wallet.basis.verdict,
        "formula": analysis.verdict.verdict,
    }


def main() -> None:
    """Print the table."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS
    kinds = sys.argv[2:] or [*SOUND, *UNSOUND]
    heads = (
        "world", "hit", "LassoCV + sales", "oracle", "lead", "coverage", "market share (rms z)",
        "bias of total", "answers set aside", "answered", "verdicts",
    )  # fmt: skip
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    with ProcessPoolExecutor(int(os.environ.get("JOBS", 0)) or None) as pool:
        for kind in kinds:
            part = pd.DataFrame(list(pool.map(measure, repeat(kind), range(seeds))))
            print_row(kind, part)


def print_row(kind: str, part: pd.DataFrame) -> None:
    """Print the row of one world."""
    mean = part.select_dtypes("number").mean()
    lead = part["hit kalib"] - part["hit Lasso"]
    said = ", ".join(f"{k} {v}" for k, v in part["verdict"].value_counts().items())
    cells = [
        kind,
        *(f"{mean[f'hit {name}']:.3f}" for name in ("kalib", "Lasso", "oracle")),
        f"{lead.mean():+.3f} ± {lead.sem():.3f}",
        f"{mean['coverage']:.2f}",
        f"{(part['market share'] ** 2).mean() ** 0.5:.2f}",
        f"{mean['total']:+.2f}",
        f"{mean['set aside']:.1f}",
        f"{mean['answered']:.2f}",
        said,
    ]
    print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
