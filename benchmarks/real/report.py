"""The benchmark's tables, wins and losses alike."""

from __future__ import annotations

import pandas as pd

FIGURES = {  # figure: heading, format
    "hit": ("top fifth", "{:.1%}"),
    "r2": ("R² log", "{:.3f}"),
    "score": ("log score", "{:.3f}"),
    "cover": ("coverage", "{:.1%}"),
    "width": ("width", "{:.2f}"),
    "bias": ("bias of total", "{:+.1%}"),
    "answered": ("answered", "{:.0%}"),
    "seconds": ("seconds", "{:.2f}"),
}
LEADS = ("hit", "r2", "score")


def print_tables(found: pd.DataFrame) -> None:
    """One table a kind of set and half; then what kalib says of itself."""
    for kind, part in found.groupby("kind", sort=False):
        for half in ("choosing", "reporting", "all"):
            chosen = part if half == "all" else part[part["half"] == half]
            if len(chosen):
                _print(f"{kind}, {half}", chosen)
    ours = found[found["method"] == "kalib"]
    print("\n| kalib on | runs | usable | caution | unusable | zone said | zone right | "
          "points outside | lower ends below sales |\n" + "|---" * 9 + "|")  # fmt: skip
    for kind, part in ours.groupby("kind", sort=False):
        verdicts = part["verdict"].value_counts()
        shares = " | ".join(str(verdicts.get(v, 0)) for v in ("usable", "caution", "unusable"))
        figures = " | ".join(
            f"{part[name].mean():.3f}" for name in ("zone said", "zone right", "outside", "below")
        )
        print(f"| {kind} | {len(part)} | {shares} | {figures} |")


def _print(title: str, part: pd.DataFrame) -> None:
    """Mean figures over sets (seeds of one set count as one) that a method answered; and kalib's
    lead over each method, study by study where kalib answered, with its standard error."""
    ours = part[part["method"] == "kalib"].set_index(["set", "seed"])
    answered = ours.index[ours["answered"] >= 0.5]
    sets = ours.index.get_level_values(0).nunique()
    print(f"\n**{title}**: {sets} sets, {len(ours)} studies, {len(answered)} answered by kalib\n")
    heads = [head for head, _ in FIGURES.values()]
    heads += [f"lead, {FIGURES[name][0]}" for name in LEADS]
    print("| method | " + " | ".join(heads) + " |\n" + "|---" * (len(heads) + 1) + "|")
    for method in part["method"].drop_duplicates():
        rows = part[part["method"] == method].set_index(["set", "seed"])
        cells = [_mean(rows[name], form) for name, (_, form) in FIGURES.items()]
        cells += [_lead((ours[name] - rows[name]).reindex(answered)) for name in LEADS]
        print(f"| {method} | " + " | ".join(cells) + " |")


def _mean(values: pd.Series, form: str) -> str:
    by_set = values.dropna().groupby(level=0).mean()
    return form.format(by_set.mean()) if len(by_set) else ""


def _lead(differences: pd.Series) -> str:
    by_set = differences.dropna().groupby(level=0).mean()
    if not by_set.any():
        return ""
    return f"{by_set.mean():+.3f} ± {by_set.sem():.3f}"
