"""The URL of the runbook, and how it fits into the texts that contain it."""

import pytest

from components.release import REPOSITORY, VERSION, link_heading, resolve_runbook


def test_the_default_runbook_is_the_page_of_this_release_in_the_public_repository():
    assert resolve_runbook() == f"{REPOSITORY}/blob/v{VERSION}/docs/runbook.md"


@pytest.mark.parametrize(
    ("url", "resolved"),
    [
        ("https://example.com/book?page=2&lang=en", "https://example.com/book?page=2&lang=en"),
        ("https://example.com/a%20b/~team/x_y;v=1,2", "https://example.com/a%20b/~team/x_y;v=1,2"),
        # Each as https://www.rfc-editor.org/rfc/rfc3986#section-2.1 writes it.
        ("https://example.com/on-call's", "https://example.com/on-call%27s"),
        ("https://example.com/{team}/a\\b", "https://example.com/%7Bteam%7D/a%5Cb"),
        ("https://example.com/Outage_(2026)", "https://example.com/Outage_%282026%29"),
        ('https://example.com/<"a"|`b`>', "https://example.com/%3C%22a%22%7C%60b%60%3E"),
    ],
)
def test_characters_that_would_end_the_text_around_a_url_are_percent_encoded(url, resolved):
    assert resolve_runbook(url) == resolved


@pytest.mark.parametrize(
    ("runbook", "link"),
    [
        ("https://example.com/book", "https://example.com/book#alarms"),
        ("https://example.com/#/on-call", "https://example.com/#/on-call"),
        ("https://example.com/book#rotation", "https://example.com/book#rotation"),
    ],
)
def test_a_url_with_a_fragment_keeps_it(runbook, link):
    assert link_heading(runbook, "alarms") == link
