"""The page of any report but that on secrets, in Chromium: it fits, is silent, and axe finds nothing."""

import pytest

from tests.html_report import sample

from .test_report_page import PHONE

TEXTS = ("orders/db is over its limit.", "a" * 300, sample.HOSTILE[0])
VIEWS = [{"color_scheme": "light"}, {"color_scheme": "dark"}, PHONE]


@pytest.mark.parametrize("options", VIEWS)
@pytest.mark.parametrize("text", TEXTS)
def test_axe_finds_nothing_and_nothing_is_requested(open_page, axe, text, options):
    opened = open_page(sample.build_document(text, rows=3), **options)

    opened.page.evaluate(axe)
    result = opened.page.evaluate("axe.run()")

    assert [(each["impact"], each["id"], each["nodes"][0]["html"]) for each in result["violations"]] == []
    assert len(result["passes"]) > 10
    assert opened.complaints == []


@pytest.mark.parametrize("text", TEXTS)
def test_a_phone_needs_no_scrolling_to_the_side(open_page, text):
    opened = open_page(sample.build_document(text, rows=3), **PHONE)

    assert opened.page.evaluate("document.documentElement.scrollWidth") == 360
