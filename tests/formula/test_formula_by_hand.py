"""The formula's number, words, SQL and JSON against what they are by hand."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from kalib.formula.formula import Formula, Term, partial_effects
from kalib.formula.written import as_sql
from kalib.indicators.screening import Column
from kalib.indicators.terms import LevelSpread

AREA = Column("area", "", "log", 2.0)
STAFF = Column("staff", "", "identity", 0.0)
BIG, MALL = Column("kind", "big's", "level", 0.0), Column("kind", "mall", "level", 0.0)


def formula_of(form: str) -> Formula:
    terms = (
        Term(AREA, 0.5, 0.01, 0.02, 0.3, 0.7, 0.9), Term(STAFF, -0.25, 0.03, 0.04, -0.5, -0.1, 0.8),
        Term(BIG, 1.5, 0.05, 0.06, 1.0, 2.0, 0.7), Term(MALL, -0.75, 0.07, float("nan"), -1, 0, 0.6),
    )  # fmt: skip
    return Formula(form, 3.0, terms, 1.25, 0.4, 50, 2.0, "cv")


def sql_of(formula: Formula) -> str:
    """The formula in SQL as it stands: a level without a term is read as the commonest."""
    plain = {"coefficient": 0.0, "smearing": 1.0}
    factors = formula.spread.smearing if formula.spread else {}
    levels = [
        {"level": term.column.level, "coefficient": term.coefficient,
         "smearing": factors.get(term.column.level, formula.smearing) / formula.smearing}
        for term in formula.terms if term.column.transform == "level"
    ]  # fmt: skip
    told = [{"indicator": "kind", "levels": levels, "other": plain}]
    return as_sql({**formula.to_json(), "levels": told})


VALUES = pd.DataFrame(
    {"area": [98.0, -5.0, 0.0], "staff": [4.0, 8.0, 0.0], "kind": ["big's", "mall", "street"]},
    index=["a", "b", "c"],
)
# ln(98 + 2) / 2 - 4 / 4 + 1.5 + 3, ln(1e-12) / 2 - 8 / 4 - 0.75 + 3, ln(2) / 2 + 3
WORKING = [5.802585092994046, -13.565510557964275, 3.3465735902799727]


def test_potential_by_hand() -> None:
    logged = formula_of("log-log").potential(VALUES)
    np.testing.assert_allclose(logged, 1.25 * np.exp(WORKING), rtol=1e-12)
    linear = formula_of("linear").potential(VALUES)
    np.testing.assert_allclose(linear, [WORKING[0], 2.0, WORKING[2]], rtol=1e-12)
    assert list(logged.index) == list(linear.index) == ["a", "b", "c"]


def test_effect_of_a_level_has_the_factor_of_its_errors() -> None:
    plain = formula_of("log-log")
    big, mall = plain.terms[2], plain.terms[3]
    assert plain.level_effect(big) == pytest.approx(math.exp(1.5) - 1)
    factors = {"big's": 1.5, "mall": 1.1, "street": 0.9}
    scattered = LevelSpread("kind", dict.fromkeys(factors, 1.0), 0.001, factors)
    formula = replace(plain, spread=scattered)
    assert formula.level_effect(big) == pytest.approx(math.exp(1.5) * 1.5 / 0.9 - 1)
    assert formula.level_effect(mall) == pytest.approx(math.exp(-0.75) * 1.1 / 0.9 - 1)
    # Of several levels without a term, and of one without a factor, the common one is taken.
    two = replace(scattered, smearing={"big's": 1.5, "street": 0.9, "kiosk": 0.7})
    formula = replace(plain, spread=two)
    assert formula.level_effect(big) == pytest.approx(math.exp(1.5) * 1.5 / 1.25 - 1)
    assert formula.level_effect(mall) == pytest.approx(math.exp(-0.75) - 1)
    formula = replace(plain, spread=replace(scattered, indicator="other"))
    assert formula.level_effect(big) == pytest.approx(math.exp(1.5) - 1)


def test_words_by_hand() -> None:
    line = "3 + 0.5 × ln(area + 2) - 0.25 × staff + 1.5 if kind is big's - 0.75 if kind is mall"
    assert formula_of("linear").text == f"potential = {line}"
    assert repr(formula_of("log-log")) == f"potential = 1.2500 × exp({line})"
    plain = Formula("log-log", 1.0, (Term(Column("a<b", "", "log", 0.0), 2e4, 0, 0, 0, 0, 1),), 1.0,
                    0.4, 9, 0.0)  # fmt: skip
    assert plain.text == "potential = 1.0000 × exp(1 + 2e+04 × ln(a<b))"
    assert plain._repr_html_() == (
        "<blockquote><code>potential = 1.0000 × exp(1 + 2e+04 × ln(a&lt;b))</code></blockquote>"
    )


@pytest.mark.parametrize("form", ["linear", "log-log"])
def test_sql_by_hand(form: str) -> None:
    import duckdb

    formula = formula_of(form)
    sql = sql_of(formula)
    assert sql.startswith("EXP(") == (form == "log-log")
    assert "kind\" = 'big''s' THEN (1.5e0)" in sql
    with duckdb.connect() as connection:
        connection.register("t", VALUES)
        found = [row[0] for row in connection.execute(f"SELECT {sql} FROM t").fetchall()]
        unknown = f"SELECT {sql} FROM (SELECT area, staff, NULL AS kind FROM t)"
        assert connection.execute(unknown).fetchall() == [(None,)] * 3
    assert found == pytest.approx(formula.potential(VALUES).tolist(), rel=1e-12)


def test_json_holds_all_of_it_and_gives_it_back() -> None:
    formula = formula_of("log-log")
    record = formula.to_json()
    assert list(record) == [
        "form", "criterion", "intercept", "terms", "smearing", "spread", "sigma", "n", "floor",
        "text",
    ]  # fmt: skip
    assert record["form"] == "log-log" and record["criterion"] == "cv" and record["n"] == 50
    numbers = [record[name] for name in ("intercept", "smearing", "sigma", "floor")]
    assert numbers == [3.0, 1.25, 0.4, 2.0]
    assert record["text"] == formula.text
    terms = record["terms"]
    assert isinstance(terms, list) and len(terms) == 4
    assert terms[0] == {
        "indicator": "area", "level": None, "coefficient": 0.5, "std_error": 0.01, "p_value": 0.02,
        "low": 0.3, "high": 0.7, "stability": 0.9, "transform": "log", "shift": 2.0,
    }  # fmt: skip
    assert terms[2]["level"] == "big's" and math.isnan(terms[3]["p_value"])
    kept = json.loads(json.dumps(record).replace("NaN", "null"))
    back = Formula.from_json(kept)
    assert back.to_json() | {"terms": 0, "criterion": 0} == record | {"terms": 0, "criterion": 0}
    assert back.terms[:3] == formula.terms[:3] and math.isnan(back.terms[3].p_value)
    assert back.terms[3].column == MALL and back.terms[3].stability == 0.6
    assert back.indicators == ("area", "staff", "kind")
    assert record["spread"] is None and back.spread is None


def test_levels_that_scatter_on_their_own_have_their_own_factor() -> None:
    spread = LevelSpread("kind", {"big's": 1.5, "mall": 0.5}, 0.001, {"big's": 2.0, "mall": 1.1})
    formula = replace(formula_of("log-log"), spread=spread)
    np.testing.assert_allclose(
        formula.potential(VALUES), np.array([2.0, 1.1, 1.25]) * np.exp(WORKING), rtol=1e-12
    )
    assert formula.text.startswith("potential = s × exp(3 + 0.5 × ln(area + 2)")
    assert formula.text.endswith(
        "), s = 2.0000 if kind is big's, 1.1000 if kind is mall, else 1.2500"
    )
    assert sql_of(formula).endswith(
        " * CASE WHEN \"kind\" = 'big''s' THEN (2.0e0) WHEN \"kind\" = 'mall' THEN (1.1e0) "
        "ELSE 1.25e0 END"
    )
    kept = json.loads(json.dumps(formula.to_json()).replace("NaN", "null"))
    assert Formula.from_json(kept).spread == spread


def test_partial_effects_by_hand() -> None:
    values = pd.DataFrame(
        {
            "area": np.arange(0.0, 11.0) * 100,
            "staff": [2.0] * 6 + [4.0] * 5,
            "kind": ["street"] * 5 + ["big's"] * 3 + ["mall"] * 3,
            "unused": 1.0,
        }
    )
    effects = partial_effects(formula_of("log-log"), values)
    assert list(effects.columns) == ["low_at", "high_at", "low", "high"]
    # The median account: 500 m², 2 people, in a street.
    middle = 3 + 0.5 * math.log(502) - 0.25 * 2
    expected = {
        "kind": ("mall", "big's", middle - 0.75, middle + 1.5),
        "area": ("100", "900", 3 + 0.5 * math.log(102) - 0.5, 3 + 0.5 * math.log(902) - 0.5),
        "staff": ("2", "4", middle, middle - 0.5),
    }
    assert list(effects.index) == ["kind", "area", "staff"], "the largest first"
    for name, (low_at, high_at, low, high) in expected.items():
        row = effects.loc[name]
        assert (row["low_at"], row["high_at"]) == (low_at, high_at)
        assert row["low"] == pytest.approx(1.25 * math.exp(low))
        assert row["high"] == pytest.approx(1.25 * math.exp(high))
