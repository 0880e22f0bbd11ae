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
    """The least number of correct digits, at most 16; decimals where the certified value is 0."""
    error = np.abs(found - certified) / np.where(certified == 0, 1.0, np.abs(certified))
    return max(float(-np.log10(np.maximum(error, 1e-16)).min()), 0.0)


def main() -> None:
    """Print the table."""
    warnings.simplefilter("ignore")  # statsmodels says that Filip is rank deficient
    print(
        "| data set | kalib | errors | statsmodels, `qr` | errors | statsmodels, `pinv` | errors |"
    )
    print("|---|---|---|---|---|---|---|")
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
        model = sm.OLS(response, full)
        cells = [
            digits(np.asarray(getattr(found, of)), np.array(case[name_of], float))
            for found in (ours.results, model.fit(method="qr"), model.fit(method="pinv"))
            for of, name_of in (("params", "coef"), ("bse", "std_error"))
        ]
        print(f"| {name} | " + " | ".join(f"{cell:.1f}" for cell in cells) + " |")


if __name__ == "__main__":
    main()
