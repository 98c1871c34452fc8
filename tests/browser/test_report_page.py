"""The HTML report in Chromium: everything that a reader does with it."""

import subprocess

import pytest

from tests.html_report import sample

SECRET, OWNER, VERDICT, ATTENTION, AGE, LIMIT, CREATED, DUE, SINCE = range(9)
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


@pytest.fixture
def opened(open_page):
    return open_page(sample.build_page(warnings=["The run 1 is incomplete."]))


def shown_matches(opened) -> str:
    return opened.page.text_content("#matches")


def sort_by(opened, name: str) -> None:
    opened.page.get_by_role("columnheader", name=name, exact=True).get_by_role("button").click()


def test_the_page_makes_no_requests_and_reports_no_errors(opened):
    assert opened.complaints == []
    assert len(opened.rows()) == 214
    assert shown_matches(opened) == "214 of 214 secrets."


def test_numbers_are_sorted_as_numbers_and_what_is_unknown_comes_last(opened):
    sort_by(opened, "Age")
    ages = opened.column(AGE)
    assert ages[:210] == sorted(ages[:210], key=int)
    assert ages[210:] == [""] * 4

    sort_by(opened, "Age")
    ages = opened.column(AGE)
    assert ages[:210] == sorted(ages[:210], key=int, reverse=True)
    assert ages[210:] == [""] * 4
    assert opened.page.get_attribute("th[aria-sort]", "aria-sort") == "descending"


@pytest.mark.parametrize(("name", "index"), [("Due", DUE), ("Value since", CREATED), ("Verdict since", SINCE)])
def test_dates_are_sorted(opened, name, index):
    sort_by(opened, name)

    dates = [date for date in opened.column(index) if date]
    assert dates == sorted(dates)
    assert len(set(dates)) > 10


def test_texts_are_sorted_by_keyboard(opened):
    button = opened.page.get_by_role("columnheader", name="Secret", exact=True).get_by_role("button")
    button.focus()
    opened.page.keyboard.press("Enter")
    names = opened.column(SECRET)
    assert names == sorted(names, key=lambda name: name.rpartition("-")[0])
    opened.page.keyboard.press("Space")

    assert opened.column(SECRET) == names[::-1]
    assert opened.page.evaluate("document.activeElement.textContent") == "Secret"
    assert opened.page.locator("th[aria-sort]").count() == 1


def test_numbers_in_names_are_sorted_as_numbers(open_page):
    opened = open_page(sample.build_page(secrets=[sample.build_secret(f"db-{number}") for number in (10, 9, 2)]))

    sort_by(opened, "Secret")

    assert opened.column(SECRET) == ["db-2", "db-9", "db-10"]


def test_filters_combine_and_say_how_many_match(opened):
    opened.page.select_option("#filter-verdict", "overdue")
    assert set(opened.column(VERDICT)) == {"overdue"}
    assert shown_matches(opened) == "9 of 214 secrets; the filters hide 205."

    owner = opened.column(OWNER)[0]
    opened.page.select_option("#filter-owner", owner)
    assert {(row[OWNER], row[VERDICT]) for row in opened.rows()} == {(owner, "overdue")}

    opened.page.get_by_role("button", name="Show all").click()
    assert shown_matches(opened) == "214 of 214 secrets."


def test_what_needs_attention_can_be_filtered(opened):
    opened.page.get_by_label("Needs attention").check()

    assert set(opened.column(ATTENTION)) == {"needs attention"}
    assert len(opened.rows()) == 26


def test_secrets_without_an_owner_can_be_filtered(opened):
    opened.page.select_option("#filter-owner", label="no owner")

    assert set(opened.column(OWNER)) == {""}
    assert len(opened.rows()) == 40


def test_search_finds_every_word_in_name_owner_and_reason(opened):
    opened.page.get_by_role("searchbox").fill("VENDOR phone payments")

    assert {row[VERDICT] for row in opened.rows()} == {"exempt"}
    assert opened.page.get_by_role("status").text_content() == f"{len(opened.rows())} of 214 secrets; the filters " + (
        f"hide {214 - len(opened.rows())}."
    )
    opened.page.get_by_role("searchbox").fill("nothing like this")
    assert opened.rows() == []


@pytest.mark.parametrize(
    ("link", "column", "value"), [("rotation_failing", VERDICT, "rotation_failing"), ("identity", OWNER, "identity")]
)
def test_verdicts_and_owners_lead_to_their_secrets(opened, link, column, value):
    opened.page.get_by_role("searchbox").fill("nothing like this")

    opened.page.get_by_role("link", name=link, exact=True).click()

    assert set(opened.column(column)) == {value}


def test_the_headline_leads_to_what_needs_attention(opened):
    opened.page.get_by_role("link", name="26 secrets need attention").click()

    assert len(opened.rows()) == 26


def test_sorting_keeps_what_is_filtered(opened):
    opened.page.select_option("#filter-verdict", "due_soon")
    sort_by(opened, "Owner")

    assert set(opened.column(VERDICT)) == {"due_soon"}


def luminance(opened, selector: str, name: str) -> float:
    color = opened.page.evaluate(
        "([selector, name]) => getComputedStyle(document.querySelector(selector))[name]", [selector, name]
    )
    return sum(map(int, color.removeprefix("rgb(").removesuffix(")").split(", "))) / 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_system_and_can_be_changed(open_page, scheme):
    opened = open_page(sample.build_page(), color_scheme=scheme)

    def is_dark() -> bool:
        return luminance(opened, "body", "backgroundColor") < luminance(opened, "body", "color")

    assert is_dark() is (scheme == "dark")
    opened.page.locator("#theme").click()
    assert is_dark() is (scheme == "light")
    fills = opened.page.evaluate(
        "[...document.querySelectorAll('.chart rect')].map((rect) => getComputedStyle(rect).fill)"
    )
    assert "rgb(0, 0, 0)" not in fills
    opened.page.locator("#theme").click()
    assert is_dark() is (scheme == "dark")
    assert opened.complaints == []


@pytest.mark.parametrize("build", [sample.build_page, sample.build_hostile_page])
def test_a_phone_needs_no_scrolling_to_the_side(open_page, build):
    opened = open_page(build(), **PHONE)

    assert opened.page.evaluate("document.documentElement.scrollWidth") == 360
    assert (
        opened.page.evaluate(
            "[...document.querySelectorAll('main *')].filter((each) => each.getBoundingClientRect().right > 361 &&"
            " !each.closest('svg, .visually-hidden, thead')).map((each) => each.outerHTML.slice(0, 80))"
        )
        == []
    )
    assert opened.complaints == []


@pytest.mark.parametrize("options", [{"color_scheme": "light"}, {"color_scheme": "dark"}, PHONE])
@pytest.mark.parametrize("build", [sample.build_short_page, sample.build_hostile_page])
def test_axe_finds_nothing(open_page, axe, build, options):
    opened = open_page(build(), **options)
    opened.page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")

    opened.page.evaluate(axe)
    result = opened.page.evaluate("axe.run()")

    found = [(each["impact"], each["id"], each["nodes"][0]["html"]) for each in result["violations"]]
    assert [each for each in found if each[0] in ("serious", "critical")] == []
    assert found == []
    assert len(result["passes"]) > 20


def test_the_keyboard_reaches_everything_in_order_and_shows_where_it_is(opened):
    reached = []
    for _ in range(8):
        opened.page.keyboard.press("Tab")
        reached.append(opened.page.evaluate("document.activeElement.textContent"))
        assert opened.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"

    assert reached[:4] == [
        "Skip to the table of secrets",
        "Dark colours",
        "26 secrets need attention",
        "1 incident needs attention",
    ]


def test_landmarks_and_headings_describe_the_page(opened):
    tree = opened.page.locator("body").aria_snapshot()

    for line in (
        "- banner:",
        "- main:",
        "- contentinfo:",
        '- navigation "Sections":',
        '- heading "Secret rotation report" [level=1]',
        '- region "Incidents":',
        '- search "Secrets":',
        "- status: 214 of 214 secrets.",
        '- table "Secrets that need attention come first, then the oldest values":',
        '- region "Ages":',
        'img "Ages of the values in use 210 secrets',
    ):
        assert line in tree


@pytest.mark.parametrize("options", [{}, PHONE])
def test_rows_are_rows_and_cells_for_a_screen_reader_on_any_screen(open_page, options):
    opened = open_page(sample.build_page(), **options)
    table = opened.page.get_by_role("table", name="Secrets that need attention come first")

    assert table.get_by_role("row").count() == 215
    assert table.get_by_role("rowheader").count() == 214
    assert table.get_by_role("cell").count() == 214 * 8


@pytest.mark.parametrize("text", [*sample.HOSTILE, *sample.CONTROLLED.values()])
def test_hostile_texts_are_shown_as_they_are_written(hostile_page, text):
    assert text in hostile_page.column(SECRET)
    assert text in hostile_page.column(OWNER)


@pytest.fixture(scope="module")
def hostile_page(chromium, tmp_path_factory):
    from rotation_guard.html_report.render import render_page

    from .conftest import OpenPage

    path = tmp_path_factory.mktemp("page") / "hostile.html"
    path.write_text(render_page(sample.build_hostile_page()), encoding="utf-8")
    opened = OpenPage(chromium.new_page())
    opened.page.goto(path.as_uri())
    opened.page.wait_for_selector("html[data-ready]")
    yield opened
    assert opened.complaints == []
    opened.page.close()


def test_hostile_texts_can_be_filtered(open_page):
    opened = open_page(sample.build_hostile_page())

    for text in (*sample.HOSTILE, *sample.CONTROLLED.values()):
        opened.page.select_option("#filter-owner", text)
        assert {row[OWNER] for row in opened.rows()} == {text}


def test_5000_secrets_can_be_sorted_filtered_and_searched(open_page):
    opened = open_page(sample.build_large_page())

    assert len(opened.rows()) == 5000
    sort_by(opened, "Age")
    ages = [int(age) for age in opened.column(AGE)]
    assert ages == sorted(ages)
    opened.page.select_option("#filter-owner", "team-07")
    assert len(opened.rows()) == 125
    opened.page.get_by_role("button", name="Show all").click()
    name = opened.column(SECRET)[4321]
    opened.page.get_by_role("searchbox").fill(name)
    assert opened.column(SECRET) == [name]
    assert opened.complaints == []


def test_without_scripts_the_page_shows_every_secret_that_fits_and_says_so(open_page):
    small = open_page(sample.build_page(), java_script_enabled=False)
    large = open_page(sample.build_large_page(5000, 0.1), java_script_enabled=False)

    assert small.page.locator("#table tbody tr").count() == 214
    assert "All 214 secrets are shown" in small.page.locator("noscript").inner_text()
    assert not small.page.locator("#filters").is_visible()
    assert not small.page.locator("#theme").is_visible()
    shown = large.page.locator("#table tbody tr").count()
    assert large.page.locator("#table tbody tr.attention").count() == 500 < shown < 5000
    assert f"shows {shown:,} of 5,000".replace(",", " ") in large.page.locator("noscript").inner_text()


def test_a_browser_that_cannot_unpack_rows_says_how_many_are_missing(chromium, tmp_path):
    from rotation_guard.html_report.render import render_page

    path = tmp_path / "large.html"
    path.write_text(render_page(sample.build_large_page(5000, 0.1)), encoding="utf-8")
    page = chromium.new_page()
    page.add_init_script("delete globalThis.DecompressionStream")
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready]")

    shown = page.locator("#table tbody tr").count()
    count = f"{5000 - shown:,}".replace(",", " ")
    assert f"; this browser cannot unpack {count} others." in page.text_content("#matches")
    page.close()


def print_page(opened, folder) -> str:
    """The text of the page on A4."""
    path = folder / "page.pdf"
    opened.page.pdf(path=path, format="A4")
    return read_pdf(path)


def read_pdf(path) -> str:
    try:
        done = subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, text=True, check=True)  # noqa: S607
    except FileNotFoundError:
        pytest.skip("Skipped: no pdftotext on the PATH.")
    return done.stdout


def test_print_contains_every_row_and_no_controls(open_page):
    opened = open_page(sample.build_large_page(5000, 0.1))
    opened.page.emulate_media(media="print")

    assert opened.page.locator("#table tbody tr:visible").count() == 5000
    for selector in ("#filters", "#theme", "nav", ".skip"):
        assert not opened.page.locator(selector).is_visible()
    assert luminance(opened, "body", "backgroundColor") == 255


def test_print_is_light_and_has_the_timelines_of_incidents(open_page, tmp_path):
    opened = open_page(sample.build_page(), color_scheme="dark")
    opened.page.locator("#theme").click()
    opened.page.locator("#theme").click()

    text = print_page(opened, tmp_path)

    assert text.count("RotationFailed") == 27
    for secret in sample.build_secrets():
        assert secret.secret_name in text
    assert "214 of 214 secrets." in text


def test_print_says_how_many_secrets_the_filters_hide(opened, tmp_path):
    opened.page.select_option("#filter-verdict", "overdue")

    assert "9 of 214 secrets; the filters hide 205." in print_page(opened, tmp_path)
