"""Values without precedent are bounded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from generators.simulate import simulate_world
from kalib.indicators.screening import build_design, encode, screen


def test_an_entry_without_precedent_ends_near_what_others_have() -> None:
    tables, known = simulate_world("multiplicative", 1, n=200, surveyed=60).as_read()
    screening = screen(tables, known)
    surveyed = screening.values.index.isin(known.frame.index)
    values = screening.values.copy()
    account = np.flatnonzero(~surveyed)[0]
    for logged in (True, False):
        plain = build_design(screening, surveyed, logged=logged)
        np.testing.assert_array_equal(plain.matrix, encode(screening.values, plain.columns))
        values.iloc[account, 0] = 9_999_999.0
        wild = build_design(replace(screening, values=values), surveyed, logged=logged)
        most = plain.matrix[:, 0].max()
        room = np.log(10) if logged else 2 * np.ptp(plain.matrix[:, 0])
        assert most < wild.matrix[account, 0] <= most + room + 1e-9
        others = np.arange(200) != account
        np.testing.assert_array_equal(wild.matrix[others], plain.matrix[others])
