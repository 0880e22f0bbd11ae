"""Correct digits on NIST's certified regressions, kalib and statsmodels.

python benchmarks/digits.py prints the table of docs: the least over all coefficients.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import statsmodels.api as sm

from kalib.formula.linear import least_squares

NIST = Path(__file__).parent.parent / "tests/reference/nist"


def digits(found: np.ndarray, certified: np.ndarray) -> float:
    """The least number of correct digits, at most 16."""
    error = np.abs(found - certified) / np.abs(certified)
    return max(float(-np.log10(np.maximum(error, 1e-16)).min()), 0.0)


def main() -> None:
    """Print the table."""
    warnings.simplefilter("ignore")  # statsmodels says that Filip is rank deficient
    print("| data set | kalib | statsmodels |\n|---|---|---|")
    for name, case in json.loads((NIST / "certified.json").read_text()).items():
        table = pd.read_csv(NIST / f"{name}.csv")
        response = table["y"].to_numpy(float)
        if "x" in table:
            powers = range(1, case["degree"] + 1)
            design = np.column_stack([table["x"].to_numpy(float) ** k for k in powers])
        else:
            design = table.drop(columns="y").to_numpy(float)
        names = [f"x{j}" for j in range(design.shape[1])]
        ours = least_squares(design, response, names, intercept=case["intercept"])
        full = sm.add_constant(design) if case["intercept"] else design
        theirs = sm.OLS(response, full).fit()
        certified = np.array(case["coef"], float)
        print(f"| {name} | {digits(ours.coef, certified):.1f} | "
              f"{digits(theirs.params, certified):.1f} |")  # fmt: skip


if __name__ == "__main__":
    main()
