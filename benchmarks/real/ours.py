"""kalib on one set, as a client would: tables and a study file in a folder, no documents."""

from __future__ import annotations

import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
from measures import Answer
from sets import WalletSet

from kalib.analysis import analyze

STUDY = """
[study]
name = "real"
[data]
accounts = "accounts.csv"
survey = "survey.csv"
[columns]
account = "account"
sales = "own_sales"
potential = "potential"
[indicators]
candidates = {candidates}
[formula]
evidence = "{evidence}"
"""


def kalib(data: WalletSet, evidence: str = "auto") -> Answer:
    """Potential, distributions and zones by kalib."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        study = STUDY.format(candidates=list(data.candidates), evidence=evidence)
        (folder / "study.toml").write_text(study.replace("'", '"'), encoding="utf-8")
        data.frame.to_csv(folder / "accounts.csv", index_label="account")
        survey = data.truth[data.surveyed].rename("potential")
        survey.to_csv(folder / "survey.csv", index_label="account")
        since = perf_counter()
        analysis = analyze(folder)
        wallet, matrix, verdict = analysis.wallet, analysis.matrix, analysis.wallet.basis.verdict
        seconds = perf_counter() - since
    order = wallet.accounts.index.get_indexer(data.frame.index)  # the kit sorts accounts
    point = wallet.accounts["potential"].to_numpy(float)[order]
    table, levels = wallet.distribution.table.astype(float)[order], wallet.distribution.levels
    said, right = _zones(matrix.accounts.reindex(data.frame.index), data)
    return Answer(point, point, table, levels, seconds, verdict, said, right)


def _zones(placed: pd.DataFrame, data: WalletSet) -> tuple[float, float]:
    """Mean probability of the accounts' zones, and how many truly lie in theirs."""
    left = ~data.surveyed & (placed["zone"] != "").to_numpy()
    if not left.any():
        return float("nan"), float("nan")
    truth, sales = data.truth, data.frame["own_sales"]
    high = truth >= truth.quantile(0.8)
    large = sales / truth >= sales.sum() / truth.sum()
    zone = np.select([high & ~large, high, large], ["attack", "defense", "maintenance"], "watch")
    said = placed["zone_probability"].to_numpy(float)[left].mean()
    return float(said), float((placed["zone"].to_numpy() == zone)[left].mean())
