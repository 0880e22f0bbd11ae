"""Names and ids as codes: the same in every wave, and nothing without the key."""

from __future__ import annotations

import base64
import hmac
import os
import re
import secrets
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import pandas as pd

from kalib.errors import KalibError, StudyError
from kalib.tables.client import Tables
from kalib.tables.overrides import Overrides
from kalib.tables.reading import refusal

KEY_FILE = "anonymize.key"
KEY_VARIABLE = "KALIB_KEY"
FEWEST_LETTERS = 16  # of a key; fewer are guessed
CODE_LETTERS = 10  # 50 bits: two of 100,000 accounts meet in one case of 200,000
MOST_WORDS = 1000  # different words of a column; one with more is as good as names
FEWEST_OF_WORD = 2  # letters of a region's or a segment's word; a single one stands in every name
FEWEST_LETTERS_OF_NAME, FEWEST_DIGITS_OF_ID = 4, 5  # shorter ones stand in many a text by chance
UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"  # each a word
WORD = re.compile(rf"[{UNSPACED}]|\d+\.\d+|\d{{1,3}}(?:,\d{{3}})+|[^\W_{UNSPACED}]+")


@dataclass(frozen=True)
class Secret:
    """Where the key is: in a file, else in the environment, else beside the study."""

    file: Path | None = None

    def key(self, folder: Path) -> bytes:
        """The key; made and kept beside the study in folder where there is none yet."""
        said = "" if self.file else os.environ.get(KEY_VARIABLE, "")
        place = self.file or folder / KEY_FILE
        try:
            if not said and not self.file and not place.exists():
                place.touch(0o600, exist_ok=False)
                place.write_text(secrets.token_hex(32) + "\n")
            said = said or place.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise StudyError(refusal("no key", place.name, KEY_VARIABLE)) from error
        key = said.strip().encode()
        if len(key) < FEWEST_LETTERS:
            raise StudyError(refusal("short key", place.name, FEWEST_LETTERS))
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


class Phrases:
    """Texts to be found as whole words in other texts, many at once and in one pass.

    Case, width, normal form and what stands between the words do not matter; a Chinese, Japanese
    or Korean character is a word of its own. A number with decimals or thousands separators is one
    word, so that its parts are not found.

    >>> phrases = Phrases(["Jo Doe", "A-1007"])
    >>> sorted(phrases.found("a 1007 is JO DOE'S, 1007.25 is a figure"))
    ['A-1007', 'Jo Doe']
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts: dict[tuple[str, ...], list[str]] = {}
        self._lengths: dict[str, set[int]] = {}  # of the phrases that begin with a word
        for text in texts:
            if words := tuple(words_of(text)):
                self._texts.setdefault(words, []).append(text)
                self._lengths.setdefault(words[0], set()).add(len(words))

    def found(self, text: str | list[str]) -> set[str]:
        """Those of the texts that stand in text, or in its words."""
        words = words_of(text) if isinstance(text, str) else text
        parts = {tuple(words[i : i + length]) for i, word in enumerate(words)
                 for length in self._lengths.get(word, ())}  # fmt: skip
        return {text for part in parts & self._texts.keys() for text in self._texts[part]}


def words_of(text: str) -> list[str]:
    """The words of a text in one spelling."""
    return WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def distinctive(text: str) -> bool:
    """Whether a name or an id says whom it means wherever it stands: it has four letters or digits
    (two characters of Chinese), and where all are digits five of them."""
    joined = "".join(words_of(text))
    fewest = FEWEST_DIGITS_OF_ID if re.fullmatch(r"[\d.,]+", joined) else FEWEST_LETTERS_OF_NAME
    return len(joined) + len(re.findall(f"[{UNSPACED}]", joined)) >= fewest


def names_of(tables: Tables, overrides: Overrides | None = None) -> dict[str, set[str]]:
    """What codes stand for, by kind: ids and names of accounts, representatives, parents,
    visitors, and who overrode a potential and why."""
    accounts, visits = tables.accounts, tables.visits
    entries = overrides.entries if overrides is not None else pd.DataFrame()
    found = {
        "an account's id": accounts.index, "an account's name": accounts["name"],
        "a representative": accounts["rep"], "a chain or head office": accounts["parent"],
        "a visitor": visits.get("visitor", ()) if visits is not None else (),
        "an expert": entries.get("by", ()), "an expert's reason": entries.get("reason", ()),
    }  # fmt: skip
    return {kind: set(map(str, texts)) - {""} for kind, texts in found.items()}


def anonymize_tables(tables: Tables, key: bytes) -> Tables:
    """The tables with codes for accounts, names, representatives, visitors and experts, the
    overrides by codes already.

    Words of region, segment and text candidates stay, unless they name someone: one that is an id
    or a representative gets that one's code; one that holds an id or a name, is part of an
    account's name, or has a word that only one representative's name has, a code of its own. Notes
    lose what the client wrote and keep the rows. Raises KalibError where two codes are the same.
    """
    ids = pd.Index(_codes(tables.accounts.index, key, "A"), name="account", dtype="str")
    if ids.has_duplicates:
        raise KalibError("two accounts have the same code; run again with another key")
    places, words = ["region", "segment"], tables.candidates.select_dtypes(exclude="number")
    named = pd.concat([tables.accounts[places], words], axis=1)
    told = _told_words([named.iloc[:, i] for i in range(named.shape[1])], names_of(tables), key)

    def coded(frame: pd.DataFrame) -> dict[str, pd.Series]:
        return {str(n): cells.map(lambda word: told.get(word, word)) for n, cells in frame.items()}

    accounts = tables.accounts.assign(
        **coded(tables.accounts[places]), name=ids, rep=_codes(tables.accounts["rep"], key, "R"),
        parent=[told[name] if name else "" for name in tables.accounts["parent"]],
    )  # fmt: skip
    survey, visits = tables.survey, tables.visits
    if survey is not None:
        survey = survey.set_axis(pd.Index(_codes(survey.index, key, "A"), name="account"))
    if visits is not None:
        visits = visits.assign(account=_codes(visits["account"], key, "A"))
        if "visitor" in visits:
            visits["visitor"] = _codes(visits["visitor"], key, "V")
    # Experts are persons, and their reasons may name anyone.
    entries = tables.overrides.entries
    coded_by = pd.Series(_codes(entries["by"], key, "R"), entries.index, dtype="str")
    entries = entries.assign(by=coded_by, reason="–").astype({"reason": "str"})
    notes = tuple(note.without_value() for note in tables.notes)
    of_experts = tuple(note.without_value() for note in tables.overrides.notes)
    return replace(
        tables, accounts=accounts.set_axis(ids),
        candidates=tables.candidates.assign(**coded(words)).set_axis(ids), survey=survey,
        visits=visits, notes=notes, anonymous=True,
        overrides=replace(tables.overrides, entries=entries, notes=of_experts),
    )  # fmt: skip


def _codes(texts: Iterable[str], key: bytes, kind: str) -> list[str]:
    return list(map(cache(partial(code, key, kind)), texts))


def _told_words(columns: list[pd.Series], names: dict[str, set[str]], key: bytes) -> dict[str, str]:
    """Code of each word of the columns that names someone."""
    parents, reps = names["a chain or head office"], names["a representative"]
    ids = filter(distinctive, names["an account's id"])
    kinds = {"P": parents, "R": reps, "A": ids}  # a later one counts
    whole = {name: code(key, kind, name) for kind, texts in kinds.items() for name in texts}
    words, told = set(parents), set(parents)
    for cells in columns:
        of_column = {word for word in cells.dropna().unique() if word}
        words |= of_column
        told |= of_column if len(of_column) > MOST_WORDS else set()
    named = Phrases(name for texts in names.values() for name in texts if distinctive(name))
    parts = Phrases(word for word in words if len(word) >= FEWEST_OF_WORD)
    told |= {word for word in words if named.found(word)}
    told = told.union(*map(parts.found, names["an account's name"]))
    # "Region Doe" speaks of Jo Doe; "Berlin", where the reps are Berlin 1 to Berlin 4, of nobody.
    persons = [set(words_of(name)) for name in reps | names["a visitor"]]
    counts = Counter(word for person in persons for word in person)
    alone = {word for word, count in counts.items() if count == 1 and distinctive(word)}
    told |= {word for word in words if alone.intersection(words_of(word))}
    return {word: whole.get(word) or code(key, "W", word) for word in told}
