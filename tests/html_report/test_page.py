"""The page's text: what it contains, how it is built, and how large it is."""

import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from rotation_guard.domain.audit.tally import Tally
from rotation_guard.domain.audit.verdicts import VERDICT_NAMES
from rotation_guard.html_report.facts import list_register
from rotation_guard.html_report.render import render_page
from rotation_guard.html_report.verdicts import EXPLANATIONS

from . import sample

VOID = {"meta", "link", "input", "br", "img"}
OPTIONAL_END = {"li", "td", "th", "tr", "thead", "tbody", "option"}
"""Elements whose end tags may be omitted (https://html.spec.whatwg.org/#optional-tags)."""


class Reader(HTMLParser):
    """Reads a page: its elements with their attributes, its text, and errors in its nesting."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.errors: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        while self._open and self._open[-1] != tag and self._open[-1] in OPTIONAL_END:
            self._open.pop()
        if not self._open or self._open.pop() != tag:
            self.errors.append(f"</{tag}> at {self.getpos()}")

    def handle_data(self, data):
        if not self._open or self._open[-1] not in ("script", "style"):
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    return reader


@pytest.fixture(scope="module")
def page() -> Reader:
    return read(render_page(sample.build_page(warnings=["The run is incomplete."], notes=["The chat is missing."])))


def test_every_element_is_closed_and_every_id_is_unique(page):
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]

    assert page.errors == []
    assert len(ids) == len(set(ids)) > 20


def test_links_within_the_page_and_labels_lead_to_an_element(page):
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    targets = {(link["href"] or "")[1:] for link in page.attributes("a") if (link["href"] or "").startswith("#")}
    labels = {name for _, each in page.elements for name in (each.get("aria-labelledby") or "").split()}

    assert {"secrets", "incidents", "about"} <= targets <= ids
    assert {"summary", "chart-ages-title"} <= labels <= ids


def test_the_page_says_what_it_is_about_first(page):
    parts = [
        "Secret rotation report",
        "account 123456789012 (example-prod), Region eu-west-1",
        "As of 2026-11-30 08:15 UTC",
        "Warning: The run is incomplete.",
        "17 of 214 secrets are over their limit; 4 could not be judged; 16 are accepted",
        "26 secrets need attention ; 1 incident needs attention",
        "assumed-role/audit/alice",
        "Verdicts What the audit says",
        "Trend of 13 months",
        "Due in the next 90 days",
        "Exemptions Accepted exceptions",
        "Mean time to recovery 28 min 53 s, of 26 that recovered",
        "About this report The chat is missing.",
        "rotation-guard 1.0.0",
        "Maximum age 30 days",
    ]
    positions = [page.text.find(part) for part in parts]

    assert -1 not in positions, parts[positions.index(-1)]
    assert positions == sorted(positions)


def test_attention_is_a_word_in_the_row_of_each_secret_that_needs_it(page):
    table = page.text.rpartition("Verdict since")[2].partition("About this report")[0]

    assert table.count("needs attention") == 26
    assert re.search(
        r"prod/data/oauth/client-05 It has its first value .* days old; the limit is 30. data never_rotated needs "
        r"attention 381 30 2025-11-14 2025-12-14 2025-12-14",
        table,
    )


def test_each_secret_has_a_link_to_the_console_of_its_partition():
    arns = {
        "aws": "https://eu-west-1.console.aws.amazon.com/secretsmanager/secret?name=a%2Fb&region=eu-west-1",
        "aws-cn": "https://eu-west-1.console.amazonaws.cn/secretsmanager/secret?name=a%2Fb&region=eu-west-1",
        "aws-us-gov": "https://eu-west-1.console.amazonaws-us-gov.com/secretsmanager/secret?name=a%2Fb&region=eu-west-1",
    }
    for partition, link in arns.items():
        arn = f"arn:{partition}:secretsmanager:eu-west-1:123456789012:secret:a/b-AbCdEf"
        secret = sample.build_secret("a/b", secret_arn=arn, age=90, verdict="exempt")

        links = [each["href"] for each in read(render_page(sample.build_page(secrets=[secret]))).attributes("a")]

        assert {each for each in links if each and each.startswith("https")} == {link}


def test_account_and_region_are_columns_only_if_there_are_several():
    one = [sample.build_secret("a"), sample.build_secret("b")]
    several = [sample.build_secret("a"), sample.build_secret("b", region="us-east-1")]

    assert "Account, Region" not in render_page(sample.build_page(secrets=one))
    text = read(render_page(sample.build_page(secrets=several))).text
    assert "Account, Region" in text
    assert "a 123456789012 eu-west-1 payments fresh" in text
    assert "b 123456789012 us-east-1 payments fresh" in text


def test_a_scan_has_no_trend_and_no_incidents():
    text = read(render_page(sample.build_page(runs=None, incidents=None))).text

    assert "Trend" not in text
    assert "Incident" not in text
    assert "incident" not in text


def test_a_page_without_secrets_says_so_in_each_section():
    empty = sample.build_page()
    page = read(render_page(replace(empty, secrets=[], tally=Tally(), exemptions=[], runs=[], incidents=[])))

    assert page.errors == []
    for sentence in (
        "0 over their limit",
        "No secret needs attention; no incident needs attention.",
        "The report contains no secrets.",
        "No complete run is recorded since 2025-11-01, so there is no trend of secrets yet.",
        "No secret reaches its limit in the next 90 days.",
        "No secret in this report has an exemption.",
        "No incident has been opened since 2025-11-01, and none is open.",
    ):
        assert sentence in page.text


def test_an_exemption_that_is_not_applied_is_neither_valid_nor_a_problem():
    exemption: Any = {"exempt_until": "2026-12-10", "exempt_reason": "The vendor rotates it."}
    reason = "The exemption ended on 2026-11-20. Without it: overdue."
    secrets = [
        sample.build_secret("deleted", "pending_deletion", **exemption),
        sample.build_secret("valid", "exempt", **exemption),
        sample.build_secret("ended", "exemption_invalid", "needs_rotation", reason=reason, **exemption),
    ]

    register = list_register(secrets, sample.AT)

    assert {entry.secret_name: (entry.state, entry.problem) for entry in register} == {
        "deleted": ("not applied", ""),
        "ended": ("invalid", "The exemption ended on 2026-11-20."),
        "valid": ("valid", ""),
    }
    text = read(render_page(sample.build_page(secrets=secrets, exemptions=register))).text
    assert text.count("The vendor rotates it. 2026-12-10 10 not applied") == 1
    assert text.count("The vendor rotates it. 2026-12-10 10 valid") == 1
    assert text.count("2026-12-10 10 needs attention : The exemption ended on 2026-11-20.") == 1


def test_runs_that_begin_within_the_period_are_said_to():
    runs = list(sample.build_runs(weeks=9))

    text = read(render_page(sample.build_page(runs=runs))).text

    assert "The recorded runs begin on 2026-09-28, not on 2025-11-01: the trend begins there." in text
    assert "trend begins there" not in read(render_page(sample.build_page())).text


def test_a_list_says_how_many_it_leaves_out():
    secrets = [sample.build_secret(f"s-{number}", owner=f"owner-{number}", age=10) for number in range(60)]
    incidents = [
        replace(incident, opened_at=sample.AT - timedelta(hours=number))
        for number, incident in enumerate([*sample.build_incidents()] * 2)
    ]

    text = read(render_page(sample.build_page(secrets=secrets, incidents=incidents))).text

    assert "50 more secrets are not in this list." in text
    assert "10 more owners are not in this list." in text
    assert "4 more older incidents are not in this list." in text


def test_charts_are_images_with_a_title_and_a_description_and_have_no_style_of_their_own(page):
    charts = page.attributes("svg")

    assert len(charts) == 4
    assert all(chart["role"] == "img" and len((chart["aria-labelledby"] or "").split()) == 2 for chart in charts)
    assert not [attributes for _, attributes in page.elements if {"style", "fill", "onclick"} & attributes.keys()]
    assert "17 are over their limits; 4 are unknown. The most common limit is 30 days." in page.text


def test_every_verdict_is_explained():
    assert set(EXPLANATIONS) == set(VERDICT_NAMES)
    page = sample.build_page(secrets=[sample.build_secret("a", verdict="of_a_later_release")])
    assert "This version of the report does not know this verdict." in render_page(page)


def test_the_same_page_is_rendered_to_the_same_text():
    assert render_page(sample.build_page()) == render_page(sample.build_page())


@pytest.mark.parametrize("attention", [0, 0.1, 0.5, 1])
def test_a_page_of_5000_secrets_is_smaller_than_a_megabyte(attention):
    text = render_page(sample.build_large_page(5000, attention))

    assert len(text.encode()) < 1_000_000


def test_without_scripts_a_large_page_shows_what_needs_attention_and_says_what_it_does_not_show():
    text = render_page(sample.build_large_page(5000, 0.1))
    page = read(text)

    [(shown, hidden)] = re.findall(r"shows ([\d ]+) of 5 000 secrets, .* first; ([\d ]+) are not shown", page.text)
    rows = text.count("<tr class=")
    assert (int(shown.replace(" ", "")), int(hidden.replace(" ", ""))) == (rows, 5000 - rows)
    assert text.count("<td>needs attention") == 500


def test_without_scripts_a_small_page_shows_every_secret(page):
    assert "All 214 secrets are shown. Sorting, filters and search need JavaScript." in page.text
