"""Every kind of bad input that is tried, and what becomes of it; prints the README's table."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

Spoil = Callable[[Path], None]
SAME, REFUSED, NOTED = "read as meant", "refused with remedy", "read, and said"


@dataclass(frozen=True)
class Case:
    """family: line of the table; name: what is tried; spoil: does it to a study's folder;
    fate: SAME, REFUSED or NOTED; says: what the messages hold."""

    family: str
    name: str
    spoil: Spoil
    fate: str
    says: tuple[str, ...] = ()


def table(folder: Path, file: str = "accounts.csv") -> pd.DataFrame:
    return pd.read_csv(folder / file, dtype=str, keep_default_na=False)


def save(folder: Path, frame: pd.DataFrame, file: str = "accounts.csv", **how: object) -> None:
    frame.to_csv(folder / file, index=False, **how)


def cell(column: str, value: str, row: int = 9, file: str = "accounts.csv") -> Spoil:
    """Write one cell; row as the file counts it."""

    def spoil(folder: Path) -> None:
        frame = table(folder, file)
        frame.loc[row - 2, column] = value
        save(folder, frame, file)

    return spoil


def column(
    name: str, change: Callable[[str], str], file: str = "accounts.csv", every: int = 1
) -> Spoil:
    """Rewrite a column's cells, each one or one in every so many."""

    def spoil(folder: Path) -> None:
        frame = table(folder, file)
        frame[name] = [change(v) if i % every == 0 else v for i, v in enumerate(frame[name])]
        save(folder, frame, file)

    return spoil


def content(change: Callable[[bytes], bytes], file: str = "accounts.csv") -> Spoil:
    """Rewrite a file's bytes."""

    def spoil(folder: Path) -> None:
        path = folder / file
        path.write_bytes(change(path.read_bytes()))

    return spoil


def coded(coding: str, word: str, bom: bytes = b"") -> Spoil:
    def spoil(folder: Path) -> None:
        frame = table(folder)
        frame["region"] = word
        (folder / "accounts.csv").write_bytes(bom + frame.to_csv(index=False).encode(coding))

    return spoil


def toml(old: str, new: str) -> Spoil:
    def spoil(folder: Path) -> None:
        file = folder / "study.toml"
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")

    return spoil


def both(*spoils: Spoil) -> Spoil:
    def spoil(folder: Path) -> None:
        for one in spoils:
            one(folder)

    return spoil


def excel(
    arrange: Callable[[openpyxl.Workbook, pd.DataFrame], None], name: str = "accounts.xlsx"
) -> Spoil:
    """The accounts as a workbook; arrange fills it."""

    def spoil(folder: Path) -> None:
        book = openpyxl.Workbook()
        arrange(book, table(folder))
        book.save(folder / name)
        if name != "accounts.csv":
            toml("accounts.csv", name)(folder)

    return spoil


def fill(sheet: object, frame: pd.DataFrame, first: int = 1, numbers: bool = True) -> None:
    """A frame into a sheet, figures as figures but for the id."""
    for j, name in enumerate(frame, start=1):
        sheet.cell(first, j, name)  # type: ignore[attr-defined]
        for i, text in enumerate(frame[name], start=first + 1):
            plain = text.replace(".", "", 1).isdigit() and numbers and name != "id"
            sheet.cell(i, j, float(text) if plain else text)  # type: ignore[attr-defined]


def merged_header(book: openpyxl.Workbook, frame: pd.DataFrame) -> None:
    sheet = book.active
    sheet["A1"], sheet["C1"] = "Store", "Figures"
    sheet.merge_cells("A1:B1")
    sheet.merge_cells("C1:F1")
    fill(sheet, frame, 2)


def merged_down(book: openpyxl.Workbook, frame: pd.DataFrame) -> None:
    """Regions merged over their stores."""
    frame = frame.sort_values("region", kind="stable").reset_index(drop=True)
    fill(book.active, frame)
    north = int((frame["region"] == "N").sum())
    book.active.merge_cells(f"B2:B{north + 1}")
    book.active.merge_cells(f"B{north + 2}:B{len(frame) + 1}")


def hidden_sheet(book: openpyxl.Workbook, frame: pd.DataFrame) -> None:
    book.active.title = "old"
    fill(book.active, frame.assign(sales="1"))
    fill(book.create_sheet("stores"), frame)
    book["old"].sheet_state = "hidden"


def second_sheet(book: openpyxl.Workbook, frame: pd.DataFrame) -> None:
    book.active.append(["Stores of 2026, prepared by sales"])
    fill(book.create_sheet("stores"), frame)


def numeric_ids(book: openpyxl.Workbook, frame: pd.DataFrame) -> None:
    fill(book.active, frame.assign(id=[str(int(v)) for v in frame["id"]]))
    for row in range(2, len(frame) + 2):
        book.active.cell(row, 1, int(book.active.cell(row, 1).value))


def far_cell(book: openpyxl.Workbook, frame: pd.DataFrame) -> None:
    fill(book.active, frame)
    book.active["XFD1048576"] = "x"


def with_error(book: openpyxl.Workbook, frame: pd.DataFrame) -> None:
    fill(book.active, frame)
    book.active["D9"] = "#REF!"
    book.active["D9"].data_type = "e"


def dated_ids(book: openpyxl.Workbook, frame: pd.DataFrame) -> None:
    fill(book.active, frame)
    book.active["C9"] = pd.Timestamp("2026-05-03").to_pydatetime()


def parquet(change: Callable[[pa.Table], pa.Table]) -> Spoil:
    def spoil(folder: Path) -> None:
        frame = pd.read_csv(folder / "accounts.csv", dtype={"id": str})
        pq.write_table(change(pa.Table.from_pandas(frame)), folder / "accounts.parquet")
        toml("accounts.csv", "accounts.parquet")(folder)

    return spoil


def cast(name: str, kind: pa.DataType) -> Callable[[pa.Table], pa.Table]:
    def change(frame: pa.Table) -> pa.Table:
        place = frame.column_names.index(name)
        return frame.set_column(place, name, frame.column(name).cast(kind))

    return change


def nested(frame: pa.Table) -> pa.Table:
    place = frame.column_names.index("area")
    return frame.set_column(place, "area", pa.array([[v.as_py()] for v in frame.column("area")]))


def renamed(name: str, old: str = "area") -> Spoil:
    """A candidate of another name."""

    def spoil(folder: Path) -> None:
        save(folder, table(folder).rename(columns={old: name}))
        quoted = name.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
        toml(f'"{old}"', f'"{quoted}"')(folder)

    return spoil


def separated(separator: str, decimal: str = ".") -> Spoil:
    def spoil(folder: Path) -> None:
        frame = pd.read_csv(folder / "accounts.csv", dtype={"id": str})
        save(folder, frame, sep=separator, decimal=decimal)

    return spoil


def moved(file: str, to: str) -> Spoil:
    def spoil(folder: Path) -> None:
        (folder / file).rename(folder / to)

    return spoil


def above(lines: str) -> Spoil:
    return content(lambda raw: lines.encode() + raw)


def below(lines: str, file: str = "accounts.csv") -> Spoil:
    return content(lambda raw: raw + lines.encode(), file)


def extra(name: str, of: Callable[[pd.DataFrame], object]) -> Spoil:
    """One more candidate."""

    def spoil(folder: Path) -> None:
        frame = table(folder)
        save(folder, frame.assign(**{name: of(frame)}))
        toml('"format"]', f'"format", "{name}"]')(folder)

    return spoil


def one_region(name: str, factor: float, file: str = "accounts.csv") -> Spoil:
    """A column of region N in another unit."""

    def spoil(folder: Path) -> None:
        regions = table(folder).set_index("id")["region"]
        frame = table(folder, file)
        north = frame["id"].map(regions) == "N"
        frame.loc[north, name] = [f"{float(v) * factor:.6f}" for v in frame.loc[north, name]]
        save(folder, frame, file)

    return spoil


def written(name: str, form: Callable[[float], str]) -> Spoil:
    return column(name, lambda text: form(float(text)))


def german(value: float) -> str:
    return f"{value:,.2f}".translate(str.maketrans(",.", ".,"))


def indian(value: float) -> str:
    whole, cents = f"{value:.2f}".split(".")
    head, tail = whole[:-3], whole[-3:]
    groups = []
    while head:
        groups.insert(0, head[-2:])
        head = head[:-2]
    return ",".join([*groups, tail]) + "." + cents


def setting(line: str, section: str = "data") -> Spoil:
    """One more setting."""
    return toml(f"[{section}]", f"[{section}]\n{line}")


def returns(folder: Path) -> None:
    """Every sixth account sent back more than it bought."""
    frame = table(folder)
    frame.loc[::6, "sales"] = "-5"
    save(folder, frame)


def visits(form: Callable[[int], str], more: str = "") -> Spoil:
    """Visits to 40 stores on ten days, whose dates are written in a form."""

    def spoil(folder: Path) -> None:
        lines = [
            f"{i:03d},{form(day)},{i % 4 + 1},{i % 7 + 5}" for i in range(40) for day in range(10)
        ]
        text = "id,day,ours,all\n" + "\n".join(lines) + "\n" + more
        (folder / "visits.csv").write_text(text, encoding="utf-8")
        columns = "[visits]\naccount = 'id'\ndate = 'day'\nown = 'ours'\ntotal = 'all'\n"
        toml("[columns]", f"visits = 'visits.csv'\n{columns}[columns]")(folder)

    return spoil


def a_total(position: str, **cells: str) -> Spoil:
    """A row called TOTAL at the end; position: what of it is filled."""

    def spoil(folder: Path) -> None:
        frame = table(folder)
        last = dict.fromkeys(frame, "") if position == "thin" else frame.iloc[3].to_dict()
        frame.loc[len(frame)] = {**last, "id": "TOTAL", **cells}
        save(folder, frame)

    return spoil


def sum_of(column: str) -> Spoil:
    def spoil(folder: Path) -> None:
        whole = f"{table(folder)[column].astype(float).sum():.2f}"
        a_total("full", **{column: whole})(folder)

    return spoil


def day(form: str, first: str = "2026-03-01") -> Callable[[int], str]:
    return lambda k: (pd.Timestamp(first) + pd.Timedelta(days=k)).strftime(form)


def quoted_break(folder: Path) -> None:
    """A line break inside a cell, and a fault below it."""
    frame = table(folder)
    frame.loc[0, "region"] = "N\nNorth"
    frame.loc[6, "sales"] = "-1"
    save(folder, frame)


NAMES = (
    "面积 (㎡)", "floor area", 'the "big" one', "__import__('os').system('x')", "'; DROP TABLE x; --",
    "<script>alert(1)</script>", "#set page(width: 1pt)", "$x^2$", "index", "name", "account",
    "segment", "level_0", "const", "Intercept", "a.b", "a|b", "a\\b", "=1+1", "@x", "{{x}}", "%s",
    "0", "true", "log area",
)  # fmt: skip

CASES: tuple[Case, ...] = (
    *(Case("encodings", coding, coded(coding, word, bom), fate)
      for coding, word, bom, fate in (
          ("utf-8", "Müller 店", b"", SAME), ("utf-8", "Müller 店", b"\xef\xbb\xbf", SAME),
          ("gb18030", "店铺", b"", NOTED), ("gbk", "中文地区", b"", NOTED),
          ("cp1252", "Müller", b"", NOTED), ("latin-1", "Café", b"", NOTED),
          ("utf-16-le", "店 Müller", b"\xff\xfe", SAME), ("utf-16-be", "店 Müller", b"\xfe\xff", SAME),
          ("utf-16-le", "Müller", b"", SAME), ("utf-16-be", "Müller", b"", SAME))),
    *(Case("separators and marks", f"{separator!r} and {decimal!r}", separated(separator, decimal), SAME)
      for separator, decimal in ((";", ","), ("\t", "."), (";", "."), ("|", "."), ("\t", ","), (",", ","))),
    *(Case("numbers as people write them", name, written("sales", form), fate)
      for name, form, fate in (
          ("1,234.50", "{:,.2f}".format, SAME), ("1.234,50", german, SAME),
          ("1'234.50", lambda v: f"{v:,.2f}".replace(",", "'"), SAME),
          ("1’234.50", lambda v: f"{v:,.2f}".replace(",", "’"), SAME),
          ("1 234.50", lambda v: f"{v:,.2f}".replace(",", " "), SAME),
          ("thin spaces", lambda v: f"{v:,.2f}".replace(",", "\u2009"), SAME),
          ("hard spaces", lambda v: f"{v:,.2f}".replace(",", "\u00a0"), SAME),
          ("12,34,567.50", indian, SAME), ("€ before", "€ {:,.2f}".format, SAME),
          ("€ behind", lambda v: german(v) + " €", SAME), ("EUR before", "EUR {:.2f}".format, SAME),
          ("¥ and 元", "¥{:.2f}元".format, SAME), ("万", lambda v: f"{v / 1e4:.6f}万", SAME),
          ("k", lambda v: f"{v / 1e3:.5f}k", SAME), ("exponents", "{:.8e}".format, SAME),
          ("full width", lambda v: f"{v:.2f}".translate(
              {ord(str(d)): chr(0xFF10 + d) for d in range(10)}), SAME),
          ("blanks around", "  {:.2f} ".format, SAME),
          ("plus signs", "+{:.2f}".format, SAME))),
    Case("numbers as people write them", "1.500 with no sign of what the dot is",
         column("sales", lambda v: "1.500"), NOTED, ("1.500 was read as 1.5",)),
    Case("numbers as people write them", "1.500 beside decimal commas", both(
        column("sales", lambda v: "1.500"), column("area", lambda v: v.replace(".", ",")),
    ), NOTED, ("1.500 was read as 1500",)),
    Case("numbers as people write them", "percent signs", both(
        extra("share", lambda f: [f"{i % 7 + 1}%" for i in range(len(f))])), SAME),
    Case("numbers that are none", "percent beside 30", both(
        extra("share", lambda f: ["30"] + [f"{i % 7 + 1}%" for i in range(1, len(f))])), REFUSED,
        ("row 2: '30' has no percent sign",)),
    Case("numbers that are none", "two currencies", both(
        column("sales", lambda v: f"€{v}"), cell("sales", "$5")), REFUSED,
        ("row 9: '$5' is in another currency",)),
    *(Case("numbers that are none", name, cell(where, value), REFUSED, (f"row 9: {value!r}",))
      for name, where, value in (
          ("text", "sales", "many"), ("negative", "sales", "-3"), ("accounting negative", "sales", "(3)"),
          ("infinite", "sales", "inf"), ("past a float", "sales", "1e999"), ("past belief", "sales", "1e17"),
          ("with unit", "area", "12 m2"), ("superscript", "area", "10²"), ("hexadecimal", "sales", "0x10"),
          ("percent", "sales", "38.3%"), ("full-width percent", "sales", "38.3％"),
          ("two numbers", "area", "12 14"), ("date", "area", "2026-05-03"),
          ("Excel error", "area", "#REF!"), ("Excel division", "sales", "#DIV/0!"))),
    Case("numbers that are none", "blank sales", cell("sales", ""), REFUSED, ("row 9: is blank",)),
    Case("numbers that are none", "#N/A sales", cell("sales", "#N/A"), REFUSED, ("row 9: '#N/A' is blank",)),
    Case("numbers that are none", "potential zero", cell("potential", "0", file="survey.csv"), REFUSED,
         ("survey.csv, column potential, row 9: '0' is zero, but the account buys from us",)),
    Case("numbers that are none", "potential below zero",
         cell("potential", "-5", file="survey.csv"), REFUSED,
         ("survey.csv, column potential, row 9: '-5' is negative",)),
    Case("numbers that are none", "all sales zero", column("sales", lambda v: "0"), REFUSED,
         ("all sales are zero",)),
    Case("numbers that are none", "#N/A indicator", cell("area", "#N/A"), NOTED, ("1 of 60 values",)),
    Case("numbers that are none", "half text", column("area", lambda v: "large", every=2), NOTED,
         ("30 of 60 cells are numbers",)),
    Case("ids", "leading zeros kept", cell("region", "N"), SAME),
    Case("ids", "blank", cell("id", ""), REFUSED, ("column id, row 9: is blank",)),
    Case("ids", "duplicated", cell("id", "001"), REFUSED, ("'001' stands in row 3 already",)),
    Case("ids", "shortened by Excel", cell("id", "1.23E+11"), REFUSED, ("Excel has shortened",)),
    Case("ids", "numbers in a workbook, text in the survey", excel(numeric_ids), REFUSED,
         ("'000' is not among the accounts as it is written", "('0' is;", "no zero is lost", "id_width = 3")),
    Case("ids", "zeros lost in the survey", column("id", lambda v: v.lstrip("0") or "0", "survey.csv"),
         REFUSED, ("'0' is not among the accounts as it is written; the same in 39 rows more: 3, 4,",
                   "('000' is; '1', '2')", "[data] id_width = 3")),
    Case("ids", "unknown", cell("id", "999", file="survey.csv"), REFUSED,
         ("row 9: '999' is not among the accounts",)),
    Case("ids", "a zero-width space", column("id", lambda v: v + "\u200b", "survey.csv"), SAME),
    Case("ids", "very long", cell("id", "x" * 300), REFUSED, ("too long",)),
    Case("ids", "differing in capitals", both(
        cell("id", "ab-1", 60), cell("id", "AB-1", 61)), NOTED, ("in capitals or width only (AB-1 and ab-1)",)),
    Case("ids", "differing in width", both(
        cell("id", "X9", 60), cell("id", "X９", 61)), NOTED, ("in capitals or width only",)),
    Case("ids", "differing in a soft hyphen", both(
        cell("id", "XY", 60), cell("id", "X\u00adY", 61)), REFUSED, ("'XY' stands in row 60 already",)),
    Case("ids", "another normal form in the survey", both(
        cell("id", "Bü1", 60), cell("id", "Bu\u03081", 9, "survey.csv")), SAME),
    Case("ids", "a soft hyphen in the survey", column("id", lambda v: v[0] + "\u00ad" + v[1:], "survey.csv"), SAME),
    Case("ids", "zeros lost, and [data] id_width", both(
        column("id", lambda v: v.lstrip("0") or "0", "survey.csv"), setting("id_width = 3")), SAME),
    Case("ids", "duplicated, and [data] duplicates", both(
        below("008,N,1,1,1,big\n009,S,1,1,1,big\n"), setting('duplicates = "first"')), NOTED,
        ("row 62: '008' stands above already; left out (row 10)", "row 63")),
    Case("ids", "duplicated in many rows", content(lambda raw: raw + b"".join(raw.splitlines(True)[1:41])),
         REFUSED, ("row 62: '000' stands in row 2 already; the same in 39 rows more: 63, 64, 65, 66, 67, …",
                   "('001', '002')", '[data] duplicates = "first"')),
    Case("returns", "negative sales", returns, REFUSED,
         ("row 2: '-5' is negative; the same in 9 rows more: 8, 14,", '[data] negative_sales = "zero"')),
    Case("returns", "negative sales, and [data] negative_sales", both(
        returns, setting('negative_sales = "zero"')), NOTED, ("row 2: '-5' is negative; taken as 0; the same in 9",)),
    Case("words for nothing", "k.A. in a number", cell("area", "k.A."), REFUSED, ("name the word in [data] missing",)),
    Case("words for nothing", "k.A., and [data] missing", both(
        cell("area", "k.A."), cell("potential", "K.A.", 9, "survey.csv"), setting('missing = ["k.A."]')), NOTED,
        ("1 of 60 values",)),
    Case("visits", "ISO dates", visits(day("%Y-%m-%d")), SAME),
    Case("visits", "German dates", visits(day("%d.%m.%Y")), SAME),
    Case("visits", "day first", visits(day("%d/%m/%Y", "2026-03-08")), SAME),
    Case("visits", "serial numbers of Excel", visits(lambda k: str(46000 + k)), SAME),
    Case("visits", "month names", visits(day("%d %b %Y")), SAME),
    Case("visits", "one of another format", visits(day("%Y-%m-%d"), "007,31/03/2026,1,5\n"), REFUSED,
         ("visits.csv, column day, row 402: '31/03/2026' is not a date as the others",)),
    *(Case("visits", f"{word!r} as a date", visits(day("%Y-%m-%d"), f"007,{word},1,5\n"), REFUSED,
           (f"row 402: {word!r} is not a date as the others", "Write all dates as 2026-03-31"))
      for word in ("now", "today", "10:30", "March", "03/04/2026", "0001-03-04")),
    Case("visits", "day or month first", visits(day("%d/%m/%Y", "2026-03-01")), REFUSED,
         ("row 2: '01/03/2026' may have day or month first", "the same in 359 rows more")),
    Case("visits", "exported twice", visits(day("%Y-%m-%d"), "007,2026-03-02,4,5\n007,2026-03-01,4,12\n"), NOTED,
         ("row 402: '007' the same visit stands above; counted once",)),
    Case("visits", "many exported twice", visits(day("%Y-%m-%d"), "".join(
        f"{i:03d},2026-03-01,{i % 4 + 1},{i % 7 + 5}\n" for i in range(40))), NOTED,
        ("counted once; the same in 39 rows more: 403,",)),
    Case("headers", "a title above", above("Stores 2026\n\n"), NOTED, ("header was found in row 3",)),
    Case("headers", "a title with separators above", above("Stores 2026,,,,,\n"), NOTED,
         ("header was found in row 2",)),
    Case("headers", "merged cells", excel(merged_header), NOTED, ("header was found in row 2",)),
    Case("headers", "twice the same, of no use", content(lambda raw: raw.replace(b"\n", b",x,x\n")), SAME),
    Case("headers", "twice the same, wanted", content(
        lambda raw: raw.replace(b"staff", b"area", 1)), REFUSED, ("header stands twice",)),
    Case("headers", "line break inside", both(
        content(lambda raw: raw.replace(b"area", b'"floor\narea"', 1)), toml('"area"', '"floor area"')), SAME),
    Case("headers", "lacking", content(lambda raw: raw.replace(b"area", b"aera", 1)), REFUSED,
         ("column area, row 1: there is no such column", "aera")),
    *(Case("columns of any name", name, renamed(name), SAME) for name in NAMES),
    Case("columns of any name", "our term potential", renamed("potential"), REFUSED, ("is the column of",)),
    Case("columns in two roles", "sales as candidate", toml('"area"', '"sales"'), REFUSED,
         ("is the column of sales",)),
    Case("columns in two roles", "id as candidate", toml('"area"', '"id"'), REFUSED, ("column of account",)),
    Case("columns in two roles", "sales as potential", toml('"potential"', '"sales"'), REFUSED,
         ("the same column",)),
    Case("columns in two roles", "region as candidate", toml('"format"', '"region"'), SAME),
    Case("rows", "a totals row", below("Total,,99999999,,,\n"), NOTED, ("totals row",)),
    Case("rows", "subtotals and a footnote", below("小计,,5,,,\n合计:,,5,,,\n\nSource: ERP,,,,,\n"), NOTED,
         ("totals row",)),
    Case("rows", "a totals row in the survey", below("Total,1\n", "survey.csv"), NOTED, ("totals row",)),
    Case("rows", "an account called TOTAL", a_total("full"), NOTED,
         ("row 62: 'TOTAL' is called a total, but is a row like the others: taken as an account",)),
    Case("rows", "a row TOTAL that is the sum", sum_of("sales"), NOTED, ("row 62: a totals row",)),
    Case("rows", "a row TOTAL, mostly blank", a_total("thin", sales="5"), NOTED, ("row 62: a totals row",)),
    Case("rows", "blank rows", content(lambda raw: raw.replace(b"\n", b"\n\n,,,,,\n", 5)), SAME),
    Case("rows", "too many cells", content(lambda raw: raw.replace(b"008,", b"008,x,", 1)), REFUSED,
         ("7 cells under 6 headers", "row 10")),
    Case("rows", "too few cells", below("900,N,5\n"), NOTED, ("1 rows are short",)),
    Case("rows", "blank cells past the header", content(lambda raw: raw.replace(b"\n", b",,\n")), SAME),
    Case("rows", "a line break in a cell", quoted_break, REFUSED, ("row 8: '-1' is negative",)),
    Case("rows", "a quote never closed", content(lambda raw: raw.replace(b"008,", b'008,"', 1)), REFUSED,
         ("row 10: a quotation mark",)),
    Case("rows", "two stray quotes", content(
        lambda raw: raw.replace(b"big\n", b'"big\n', 1).replace(b"small\n", b'small"\n', 1)), REFUSED,
        ("quotation mark",)),
    Case("rows", "Windows line ends", content(lambda raw: raw.replace(b"\n", b"\r\n")), SAME),
    Case("rows", "old Mac line ends", content(lambda raw: raw.replace(b"\n", b"\r")), SAME),
    Case("rows", "no line end at the end", content(lambda raw: raw.rstrip()), SAME),
    Case("rows", "four surveyed", lambda folder: save(folder, table(folder, "survey.csv").head(4), "survey.csv"),
         REFUSED, ("potential is known of 4 accounts only",)),
    Case("files", "empty", content(lambda raw: b""), REFUSED, ("the file is empty",)),
    Case("files", "blank", content(lambda raw: b" \n\n"), REFUSED, ("the file is empty",)),
    Case("files", "header only", content(lambda raw: raw.splitlines()[0]), REFUSED, ("no rows",)),
    Case("files", "NUL bytes", content(lambda raw: raw.replace(b"008", b"0\x008", 1)), REFUSED, ("NUL",)),
    Case("files", "binary", content(lambda raw: bytes(range(256)) * 9), REFUSED, ("accounts.csv",)),
    Case("files", "a web page", content(lambda raw: b"<html><table></table></html>"), REFUSED, ("web page",)),
    Case("files", "a workbook with a .csv name", excel(lambda b, f: fill(b.active, f), "accounts.csv"),
         NOTED, ("is a file of Excel",)),
    Case("files", "a damaged workbook", content(lambda raw: b"PK\x03\x04" + raw), REFUSED, ("save it again",)),
    Case("files", "a text file named .xlsx", both(
        moved("accounts.csv", "accounts.xlsx"), toml("accounts.csv", "accounts.xlsx")), NOTED,
        ("is a text file",)),
    Case("files", "missing", moved("survey.csv", "else.csv"), REFUSED, ("no file survey.csv",)),
    Case("files", "a folder in its place", toml("survey.csv", "."), REFUSED, ("no file",)),
    Case("workbooks", "plain", excel(lambda b, f: fill(b.active, f)), SAME),
    Case("workbooks", "numbers stored as text", excel(lambda b, f: fill(b.active, f, numbers=False)), SAME),
    Case("workbooks", "a hidden first sheet", excel(hidden_sheet), NOTED, ("stores, not old (hidden)",)),
    Case("workbooks", "the table on the second sheet", excel(second_sheet), NOTED, ("stores, not Sheet",)),
    Case("workbooks", "merged regions", excel(merged_down), SAME),
    Case("workbooks", "a cell at the far corner", excel(far_cell), REFUSED, ("column 16,384",)),
    Case("workbooks", "an error in a cell", excel(with_error), NOTED, ("1 of 60 values are missing",)),
    Case("workbooks", "a figure turned into a date", excel(dated_ids), REFUSED, ("row 9: '2026-05-03",)),
    Case("Parquet", "plain", parquet(lambda t: t), SAME),
    Case("Parquet", "decimals", parquet(cast("sales", pa.decimal128(18, 2))), SAME),
    Case("Parquet", "categories", parquet(lambda t: t.set_column(
        1, "region", t.column("region").dictionary_encode())), SAME),
    Case("Parquet", "large integers as ids", parquet(lambda t: t.append_column(
        "big", pa.array([2**60 + i for i in range(t.num_rows)]))), SAME),
    Case("Parquet", "lists", parquet(nested), REFUSED, ("column area", "holds list")),
    Case("Parquet", "dates in a figure", parquet(lambda t: t.set_column(
        2, "sales", pa.array([20000 + i for i in range(t.num_rows)], pa.date32()))), REFUSED, ("column sales",)),
    Case("Parquet", "truncated", both(parquet(lambda t: t), content(lambda raw: raw[:-50], "accounts.parquet")),
         REFUSED, ("can't be read",)),
    Case("units", "a region's sales in thousands", one_region("sales", 1e-3), REFUSED,
         ("about 1,000 times smaller in one region", "(N)")),
    Case("units", "a region's sales in 万", one_region("sales", 1e-4), REFUSED, ("10,000 times smaller",)),
    Case("units", "a region's areas times 1000", one_region("area", 1e3), REFUSED, ("1,000 times larger",)),
    Case("units", "a region's potential in thousands", one_region("potential", 1e-3, "survey.csv"), REFUSED,
         ("column potential",)),
    Case("units", "all potential in thousands", column("potential", lambda v: f"{float(v) / 1e3:.5f}", "survey.csv"), REFUSED,
         ("below our own sales in",)),
    Case("units", "every tenth account in thousands", column(
        "sales", lambda v: f"{float(v) / 1e3:.6f}", every=10), NOTED, ("6 values are about 1,000 times smaller",)),
    Case("units", "one potential below own sales", cell("potential", "0.01", 2, "survey.csv"), NOTED,
         ("row 2: '0.01' is below our own sales",)),
    Case("candidates", "constant", extra("flat", lambda f: "1"), NOTED, ("same for all accounts",)),
    Case("candidates", "doubled", extra("twin", lambda f: f["area"]), SAME),
    Case("candidates", "perfectly collinear", extra(
        "sum", lambda f: f["area"].astype(float) + f["staff"].astype(float)), SAME),
    Case("candidates", "blank", extra("empty", lambda f: ""), NOTED, ("blank for all accounts",)),
    Case("candidates", "true and false", extra("wifi", lambda f: ["TRUE", "false"] * (len(f) // 2)), SAME),
    Case("candidates", "capitals at will", extra("kind", lambda f: ["Big", "big", "small"] * (len(f) // 3)),
         NOTED, ("differ in capitals",)),
    Case("candidates", "dates", extra("opened", lambda f: [f"20{i % 20 + 10}-01-05" for i in range(len(f))]),
         NOTED, ("holds dates",)),
    Case("candidates", "a very long cell", cell("format", "x" * 5000), REFUSED, ("row 9", "too long")),
    Case("candidates", "control characters", cell("format", "big\x07"), SAME),
)  # fmt: skip


def summary() -> str:
    """The table in docs/bad-input.md."""
    lines = ["| kinds of bad input | tried | refused with remedy | run safely, and said | run safely as meant |",
             "|---|---|---|---|---|"]  # fmt: skip
    families = dict.fromkeys(case.family for case in CASES)
    for family in families:
        fates = [case.fate for case in CASES if case.family == family]
        counts = [len(fates), *(fates.count(fate) for fate in (REFUSED, NOTED, SAME))]
        lines.append(f"| {family} | " + " | ".join(map(str, counts)) + " |")
    fates = [case.fate for case in CASES]
    counts = [len(fates), *(fates.count(fate) for fate in (REFUSED, NOTED, SAME))]
    return "\n".join([*lines, "| all | " + " | ".join(map(str, counts)) + " |"])


if __name__ == "__main__":
    sys.stdout.buffer.write(f"{summary()}\n".encode())
