"""The client's page in a real browser, offline: chromium driven by playwright, axe-core's rules."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from conftest import ROOT

from kalib.analysis import Analysis, analyze
from kalib.report.page import build_page
from kalib.report.story import tell_story, words_of
from kalib.report.tables import accounts_of
from kalib.report.visits import write_visits
from kalib.study.settings import ZONES
from kalib.tables.overrides import read_overrides
from kalib.words.catalogue import Words

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
EVIL = """<img src=x onerror=document.title=1></script><script>document.title=2</script><!--'"&"""
READY = "html[data-ready]"


def write_page(analysis: Analysis, folder: Path) -> Path:
    """The page with the committed notebooks as its appendix."""
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9pt" height="5pt"><g/></svg>'
    for name in ("matrix", "bridge"):
        (folder / f"{name}.svg").write_text(svg)
    paths = sorted((ROOT / "notebooks").glob("*.ipynb"))
    notebooks = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}
    file = folder / "index.html"
    file.write_text(
        build_page(analysis, tell_story(analysis), notebooks, folder, "1"), encoding="utf-8"
    )
    return file


class Reader:
    """An open page that notes what it asks of the network and what its console complains of."""

    def __init__(
        self, browser: playwright.Browser, file: Path, *, ready: bool = True, **options: object
    ) -> None:
        self.page = browser.new_page(**{"viewport": {"width": 1280, "height": 900}, **options})
        self.complaints: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._asked)
        self.page.goto(file.as_uri())
        if ready:
            self.page.wait_for_selector(READY, state="attached")

    def _heard(self, message: playwright.ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _asked(self, request: playwright.Request) -> None:
        if not request.url.startswith(("file:", "data:")):
            self.complaints.append(request.url)

    def column(self, name: str) -> list[str]:
        """The texts of one column of the table as shown."""
        heads = [text.strip() for text in self.page.locator("#accounts th").all_inner_texts()]
        place = [head.split("\n")[0] for head in heads].index(name) + 1
        return self.page.locator(f"#accounts tbody td:nth-child({place})").all_inner_texts()

    def drawn(self) -> int:
        """How many accounts the quadrant draws."""
        return self.page.locator("#marks use:not([hidden])").count()

    def shown(self) -> str:
        return self.page.inner_text("#shown")


@pytest.fixture(scope="module")
def reader(
    stores: Analysis, browser: playwright.Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Reader]:
    found = Reader(browser, write_page(stores, tmp_path_factory.mktemp("page")))
    yield found
    assert found.complaints == []


@pytest.fixture(scope="module")
def phones_in_chinese() -> Analysis:
    return analyze(ROOT / "data/phones-retail", settings={"report.language": "zh"})


@pytest.fixture(autouse=True)
def all_accounts(request: pytest.FixtureRequest) -> None:
    """Each test begins with every account shown."""
    if "reader" in request.fixturenames:
        request.getfixturevalue("reader").page.click("#filters button[type=reset]")


def test_summary_of_what_is_shown_equals_the_results(stores: Analysis, reader: Reader) -> None:
    figures, words = tell_story(stores).figures, words_of(stores)
    assert reader.shown() == (
        "1,200 of 1,200 accounts; those placed: potential "
        f"{words.money(figures['total_potential'])}, "
        f"sales {words.money(figures['total_sales'])}, "
        f"share of wallet {words.share(figures['market_share'])}"
    )


def test_region_filters_table_and_quadrant(stores: Analysis, reader: Reader) -> None:
    reader.page.select_option("#region", "North")
    wanted = int((stores.plan.accounts["region"] == "North").sum())
    assert set(reader.column("region")) == {"North"}
    assert reader.drawn() == wanted and reader.shown().startswith(f"{wanted:,} of 1,200")


def test_zone_segment_and_team_filter_together(stores: Analysis, reader: Reader) -> None:
    accounts = stores.plan.accounts
    segment = accounts["segment"].mode().iloc[0]
    for zone in ("watch", "maintenance", "attack"):
        reader.page.uncheck(f"input[value={zone}]")
    reader.page.select_option("#segment", segment)
    wanted = int(((accounts["zone"] == "defense") & (accounts["segment"] == segment)).sum())
    assert set(reader.column("zone")) == {"defense"} and reader.drawn() == wanted
    reader.page.select_option("#team", "hunter")
    assert reader.drawn() == 0 and "No account fits" in reader.page.inner_text("#accounts")


def test_search_finds_by_account_and_by_name(stores: Analysis, reader: Reader) -> None:
    account = stores.plan.accounts.index[7]
    reader.page.fill("#search", str(account))
    assert reader.column("account") == [account] and reader.drawn() == 1
    name = stores.plan.accounts["name"].iloc[7]
    reader.page.fill("#search", name.upper())
    assert name in reader.column("name")


def test_heads_sort_by_keyboard(stores: Analysis, reader: Reader) -> None:
    reader.page.locator("#accounts th [role=button][aria-label^='sales:']").focus()
    reader.page.keyboard.press("Enter")
    reader.page.wait_for_selector("#accounts th[aria-sort=descending] >> text=sales")
    words = Words.of(stores.study)
    top = stores.plan.accounts["sales"].nlargest(25)
    assert reader.column("sales") == [words.amount(value) for value in top]


def test_card_tells_the_account(stores: Analysis, reader: Reader) -> None:
    accounts, words = stores.plan.accounts, Words.of(stores.study)
    account = accounts[(accounts["zone"] == "attack") & (accounts["potential_source"] != "measured")].index[0]  # fmt: skip
    row = accounts.loc[account]
    reader.page.fill("#search", str(account))
    reader.page.locator("#accounts button.open").focus()
    reader.page.keyboard.press("Enter")
    card = reader.page.inner_text("#card")
    for figure in (
        words.money(row["potential"]), words.money(row["potential_low"]),
        words.money(row["potential_high"]), words.percent(row["sow"]), words.money(row["sales"]),
        words.money(stores.matrix.potential_cut), words.money(row["target_sales"]),
        words.percent(np.floor(100 * row["zone_probability"]) / 100), "There is much to win", str(row["rep"]),
    ):  # fmt: skip
        assert figure in card
    for name in stores.fit.formula.indicators:
        assert words.label(name) in card
    assert words.money(accounts_of(stores).at[account, "border_at"]) in card
    data = reader.page.evaluate("JSON.parse(document.getElementById('study-data').textContent)")
    place = list(accounts.index).index(account)
    alike = [accounts["name"].iloc[j] for j in data["alike"][place]]
    shown = reader.page.locator("#card table.alike button").all_inner_texts()
    assert [text.rpartition(" (")[0] for text in shown] == alike
    way = reader.page.locator("#card table.way tr").all_inner_texts()
    assert len(way) == len(stores.fit.formula.indicators) + 3
    assert words.money(data["typical"]) in way[0] and words.money(row["potential"]) in way[-1]
    reader.page.locator("#card table.alike button").first.click()
    assert shown[0] in reader.page.inner_text("#card h3")
    reader.page.keyboard.press("Escape")
    assert not reader.page.is_visible("#card")


@pytest.mark.parametrize("width", [400, 1000])
def test_the_visit_list_fits_a_narrow_window(
    phones: Analysis, browser: playwright.Browser, tmp_path: Path, width: int
) -> None:
    write_visits(phones, tell_story(phones), tmp_path)
    file = tmp_path / "visit-list.html"
    opened = Reader(browser, file, ready=False, viewport={"width": width, "height": 900})
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    boxes = [cell.bounding_box() for cell in opened.page.locator("td:visible").all()[:24]]
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes)


def test_answers_come_back_as_overrides(
    phones: Analysis, browser: playwright.Browser, tmp_path: Path
) -> None:
    story = tell_story(phones)
    write_visits(phones, story, tmp_path)
    opened = Reader(browser, tmp_path / "visit-list.html", ready=False, accept_downloads=True)
    sheet = opened.page.locator("section").first
    row = sheet.locator("[data-account]").first
    account = row.get_attribute("data-account")
    row.locator("[name=potential]").fill("2500.5")
    row.locator("input").nth(1).fill('two rivals, one "cheap"')
    with opened.page.expect_download() as saved:
        sheet.locator("button").click()
    saved.value.save_as(tmp_path / "one.csv")
    second = opened.page.locator("section").nth(1)
    other = second.locator("[data-account]").first
    other.locator("[name=potential]").fill("3000")
    with opened.page.expect_download() as saved:
        second.locator("button").click()
    saved.value.save_as(tmp_path / "two.csv")
    with opened.page.expect_download() as saved:
        opened.page.set_input_files("#join", [tmp_path / "one.csv", tmp_path / "two.csv"])
    saved.value.save_as(tmp_path / "answers.csv")
    given = read_overrides(tmp_path / "answers.csv", phones.plan.accounts["sales"])
    assert list(given.entries.index) == [account, other.get_attribute("data-account")]
    assert opened.complaints == []
    entry = given.entries.loc[account]
    assert entry["potential"] == pytest.approx(2500.5 * story.words.scale)
    assert entry["reason"] == 'two rivals, one "cheap"'
    assert entry["by"] == phones.plan.accounts.at[account, "rep"]


def test_the_first_screen_decides(
    stores: Analysis, phones: Analysis, browser: playwright.Browser, tmp_path: Path
) -> None:
    """Headline, bridge, matrix and three lists, without scrolling."""
    for analysis in (stores, phones):
        opened = Reader(browser, write_page(analysis, tmp_path))
        for part in ("#summary h2", "figure.bridge", "figure.mini", ".brief >> nth=2"):
            box = opened.page.locator(part).bounding_box()
            assert box["y"] + box["height"] <= 900, part
        ends = [b["x"] + b["width"] for b in
                (bar.bounding_box() for bar in opened.page.locator(".bridge i").all())]  # fmt: skip
        asked = analysis.plan.bridge.shape[0] - 1  # whose last step ends where the sum does
        assert ends[asked] == pytest.approx(ends[asked - 1], abs=1)
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_nothing_is_cut_on_a_phone(
    stores: Analysis, nothing: Analysis, browser: playwright.Browser, tmp_path: Path
) -> None:
    for analysis in (stores, nothing):
        placed = bool(tell_story(analysis).figures["ka_new"])
        file = write_page(analysis, tmp_path)
        opened = Reader(browser, file, ready=placed, viewport={"width": 390, "height": 844})
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= 390
        cut = "[...document.querySelectorAll('.exhibit, .brief, #accounts')]"
        wide = f"{cut}.map((table) => table.scrollWidth - table.parentElement.clientWidth)"
        assert max(opened.page.evaluate(wide), default=0) <= 0
        if analysis is stores:
            heads = opened.page.locator("#accounts th:visible").all_inner_texts()
            said = [head.split("\n")[0] for head in heads]
            assert {"potential", "sales"} <= set(said) and len(said) < 7


def test_a_refused_study_says_first_what_is_missing_and_what_to_do(
    nothing: Analysis, browser: playwright.Browser, tmp_path: Path
) -> None:
    placed = bool(tell_story(nothing).figures["ka_new"])
    opened = Reader(browser, write_page(nothing, tmp_path), ready=placed)
    box = opened.page.locator(".alarm").bounding_box()
    assert box["y"] + box["height"] < 600
    said = opened.page.inner_text(".alarm")
    assert said.index("What is missing") < said.index("What to do")
    assert "growth asked" not in opened.page.inner_text("main")


def test_numbers_are_written_as_the_other_documents_write_them(stores: Analysis, reader: Reader) -> None:  # fmt: skip
    accounts, words = stores.plan.accounts, Words.of(stores.study)
    texts = reader.page.evaluate("DataTable.Api('#accounts').rows().data().toArray().length")
    assert texts == len(accounts)
    data = reader.page.evaluate("JSON.parse(document.getElementById('study-data').textContent)")
    columns = data["columns"]
    assert columns["sow"] == pytest.approx(accounts["sow"].tolist(), abs=1e-6)
    reader.page.locator("#accounts th [role=button][aria-label^='potential:']").focus()
    shown = accounts.loc[reader.column("account")]
    assert reader.column("share of wallet") == [words.percent(v) for v in shown["sow"]]
    assert reader.column("in % of sales") == [
        words.signed(v) if v == v else "–" for v in shown["growth_rate"]
    ]


def test_a_mark_of_the_quadrant_shows_its_account_and_opens_its_card(reader: Reader) -> None:
    reader.page.fill("#search", "00214")
    mark = reader.page.locator("#marks use:not([hidden])")
    mark.hover()
    assert "share of wallet: 10%" in mark.locator("title").text_content()
    mark.click()
    reader.page.wait_for_selector("#card[open]")
    assert "(00214)" in reader.page.inner_text("#card h3")
    reader.page.keyboard.press("Escape")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_violation(reader: Reader, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    reader.page.emulate_media(color_scheme=scheme)
    found = axe.Axe().run(reader.page).response["violations"]
    reader.page.locator("#accounts button.open").first.click()
    found += axe.Axe().run(reader.page, context="#card").response["violations"]
    reader.page.keyboard.press("Escape")
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []


def test_print_and_a_browser_without_scripts_show_the_static_figure(
    stores: Analysis, reader: Reader, browser: playwright.Browser, tmp_path: Path
) -> None:
    assert not reader.page.is_visible("figure.static") and reader.page.is_visible("#chart")
    reader.page.emulate_media(media="print")
    assert reader.page.is_visible("figure.static") and not reader.page.is_visible("#accounts")
    reader.page.emulate_media(media="screen")
    plain = Reader(browser, write_page(stores, tmp_path), ready=False, java_script_enabled=False)
    assert plain.page.is_visible("figure.static") and not plain.page.is_visible("#filters")
    assert plain.complaints == []


def test_a_page_without_key_accounts_opens(
    nothing: Analysis, browser: playwright.Browser, tmp_path: Path
) -> None:
    file = write_page(nothing, tmp_path)
    scripts = tell_story(nothing).figures["ka_new"] > 0
    opened = Reader(browser, file, ready=scripts)
    assert opened.page.is_visible(".alarm") and opened.complaints == []
    if scripts:
        unplaced = (nothing.plan.accounts["zone"] == "").sum()
        for zone in ZONES:
            opened.page.uncheck(f"input[value={zone}]")
        assert opened.shown().startswith(f"{unplaced:,} of ")
        opened.page.locator("#accounts button.open").first.click()
        assert "not placed" in opened.page.inner_text("#card")


def test_chinese_numbers_are_written_as_the_other_documents_write_them(
    browser: playwright.Browser, phones_in_chinese: Analysis, tmp_path: Path
) -> None:
    opened = Reader(browser, write_page(phones_in_chinese, tmp_path))
    accounts = phones_in_chinese.plan.accounts.nlargest(25, "potential")
    words = words_of(phones_in_chinese)
    assert opened.column("采购潜力") == [words.amount(value) for value in accounts["potential"]]
    assert opened.column("分区") == [words.say(zone) for zone in accounts["zone"]]
    assert opened.complaints == []


def test_client_text_is_inert(
    small_study: Path, browser: playwright.Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = small_study / "accounts.csv"
    lines = file.read_text(encoding="utf-8").splitlines()
    quoted = EVIL.replace('"', '""')
    lines = [lines[0] + ",name", *(f'{line},"{i} {quoted}"' for i, line in enumerate(lines[1:]))]
    lines[1:] = [line.replace(",N,", f',"{quoted}",') for line in lines[1:]]
    file.write_text("\n".join(lines), encoding="utf-8")
    study = small_study / "study.toml"
    study.write_text(study.read_text().replace('region = "region"', 'region = "region"\nname = "name"'))  # fmt: skip
    book = openpyxl.Workbook()
    book.active.append(["account", "override potential", "override by", "override reason"])
    book.active.append(["007", 9e9, "Ana", EVIL])
    book.save(small_study / "overrides.xlsx")
    analysis = analyze(small_study, settings={"report.language": "zh"},
                        overrides=small_study / "overrides.xlsx")  # fmt: skip
    opened = Reader(browser, write_page(analysis, tmp_path_factory.mktemp("evil")))
    title = opened.page.title()
    opened.page.fill("#search", "007")
    opened.page.locator("#accounts button.open").first.click()
    assert f"（Ana）：{EVIL}" in opened.page.inner_text("#card")
    opened.page.keyboard.press("Escape")
    opened.page.fill("#search", "")
    opened.page.select_option("#region", EVIL)
    assert set(opened.column("区域")) == {EVIL}
    opened.page.locator("#accounts button.open").first.click()
    assert EVIL in opened.page.inner_text("#card h3")
    assert opened.page.title() == title and opened.complaints == []
    assert opened.page.locator("#card img, #accounts img, #filters img").count() == 0
