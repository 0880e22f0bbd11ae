"""Names and ids as codes: the same in every wave, and nothing without the key."""

from __future__ import annotations

import base64
import hmac
import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from kalib.errors import KalibError, Problem, StudyError
from kalib.tables.client import Tables
from kalib.tables.overrides import Overrides

KEY_FILE = "anonymize.key"
KEY_VARIABLE = "KALIB_KEY"
FEWEST_LETTERS = 16  # of a key; fewer are guessed
CODE_LETTERS = 10  # 50 bits: two of 100,000 accounts meet in one case of 200,000
MOST_WORDS = 1000  # different words of a column; one with more is as good as names
FEWEST_OF_WORD = 2  # letters; a single one stands in every name


@dataclass(frozen=True)
class Secret:
    """Where the key is: in a file, else in the environment, else beside the study."""

    file: Path | None = None

    def key(self, folder: Path) -> bytes:
        """The key; made and kept beside the study in folder where there is none yet.

        Raises StudyError where it can't be read or is too short.
        """
        said = "" if self.file else os.environ.get(KEY_VARIABLE, "")
        place = self.file or folder / KEY_FILE
        try:
            if not said and not self.file and not place.exists():
                mine = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(mine, "w") as new:
                    new.write(secrets.token_hex(32) + "\n")
            said = said or place.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise StudyError(
                Problem("the key can't be read or made", file=place.name,
                        remedy=f"Give --key FILE, or set {KEY_VARIABLE}")
            ) from error  # fmt: skip
        key = said.strip().encode()
        if len(key) < FEWEST_LETTERS:
            raise StudyError(
                Problem(f"the key is shorter than {FEWEST_LETTERS} letters", file=place.name,
                        remedy="Take 64 random hexadecimal digits")
            )  # fmt: skip
        return key


def code(key: bytes, kind: str, text: str) -> str:
    """The code of a name: HMAC-SHA256 of kind and text, its first 50 bits; "" of "".

    >>> code(b"0123456789abcdef", "A", "007")
    'A-TAAOQRJ4BQ'
    """
    if not text:
        return ""
    digest = hmac.digest(key, f"{kind}\0{text}".encode(), "sha256")
    return f"{kind}-{base64.b32encode(digest)[:CODE_LETTERS].decode()}"


def anonymize_tables(tables: Tables, key: bytes) -> Tables:
    """The tables with codes for accounts, names, representatives and visitors.

    Words of region, segment and text candidates stay, unless they are part of an account's name.
    Notes lose what the client wrote and keep the rows. Raises KalibError where two codes are the
    same.
    """
    accounts = tables.accounts.copy()
    ids = pd.Index(_codes(accounts.index, key, "A"), name="account", dtype="str")
    if ids.has_duplicates:
        raise KalibError("two accounts have the same code; run again with another key")
    names = "\n".join(accounts["name"].astype(str).unique()).casefold()
    accounts["rep"] = _codes(accounts["rep"], key, "R")
    for term in ("region", "segment"):
        accounts[term] = _words(accounts[term], names, key)
    accounts["name"] = ids
    accounts.index = ids
    candidates = tables.candidates.copy()
    for column in candidates.select_dtypes(exclude="number"):
        candidates[column] = _words(candidates[column], names, key)
    candidates.index = ids
    survey = tables.survey
    if survey is not None:
        survey = survey.set_axis(pd.Index(_codes(survey.index, key, "A"), name="account"))
    visits = tables.visits
    if visits is not None:
        visits = visits.assign(account=_codes(visits["account"], key, "A"))
        if "visitor" in visits:
            visits["visitor"] = _codes(visits["visitor"], key, "V")
    notes = tuple(note.without_value() for note in tables.notes)
    return Tables(accounts, candidates, survey, visits, notes, tables.order)


def anonymize_overrides(overrides: Overrides, key: bytes) -> Overrides:
    """Overrides of coded accounts: experts are persons, and their reasons may name anyone."""
    entries = overrides.entries.assign(by=_codes(overrides.entries["by"], key, "R"), reason="–")
    notes = tuple(note.without_value() for note in overrides.notes)
    return replace(overrides, entries=entries, notes=notes)


def _codes(texts: Iterable[str], key: bytes, kind: str) -> list[str]:
    texts = list(texts)
    known = {text: code(key, kind, text) for text in set(texts)}
    return [known[text] for text in texts]


def _words(cells: pd.Series, names: str, key: bytes) -> pd.Series:
    """Words that are part of a name in names (one a line, folded) as codes."""
    words = [word for word in cells.dropna().unique() if word]
    many = len(words) > MOST_WORDS
    told = {word: code(key, "W", word) for word in words if many or _in_names(word, names)}
    return cells.map(lambda word: told.get(word, word))


def _in_names(word: str, names: str) -> bool:
    folded = word.casefold()
    if len(folded) < FEWEST_OF_WORD:
        return False
    if not folded.isascii():
        return folded in names
    return re.search(rf"(?<!\w){re.escape(folded)}(?!\w)", names) is not None
