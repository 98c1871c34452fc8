"""The page of any report but that on secrets: what it shows, and that nothing of it becomes markup."""

import re

import pytest

from rotation_guard.html_report.document import Document, Table, render_document

from . import sample
from .test_page import read

HOSTILE = (*sample.HOSTILE, *sample.CONTROLLED)


def test_it_shows_everything_it_is_given():
    document = Document(
        source="The stack, as of now.",
        answer="The answer.",
        summary="2 rows.",
        title="A title",
        facts=[("Owner", "payments")],
        links=[("Log", "https://example.com/a?b=c&d"), ("Key", "arn:aws:kms:eu-west-1:111122223333:key/1")],
        tables=[Table("", ["name", "state"], [["a", None], ["b", 7]]), Table("Others", ["name"], [["c"]])],
        next_steps="Look.",
        warnings=["It is old."],
        provenance=[("the stack Prod-EU: account", "111122223333")],
    )

    page = read(render_document(document))

    assert page.errors == []
    assert page.text == (
        "A title rotation-guard A title The stack, as of now. Warning: It is old. The answer. Owner payments Log "
        "https://example.com/a?b=c&d Key arn:aws:kms:eu-west-1:111122223333:key/1 name state a b 7 Others name c "
        "2 rows. Next: Look. Origin The stack Prod-EU: account 111122223333 All times are UTC. "
        "This file needs no network."
    )
    assert [link["href"] for link in page.attributes("a")] == ["https://example.com/a?b=c&d"]


def test_what_is_empty_has_no_place():
    page = read(render_document(Document(source="The stack.", answer="", summary="Nothing.")))

    assert page.errors == []
    assert page.text.count("Nothing.") == 2  # the title of the window, and the headline
    assert not {tag for tag, _ in page.elements} & {"table", "dl", "section", "script"}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_becomes_no_element(text):
    page = render_document(sample.build_document(text))
    harmless = read(render_document(sample.build_document("harmless")))

    assert read(page).errors == []
    assert [tag for tag, _ in read(page).elements] == [tag for tag, _ in harmless.elements]
    assert sample.CONTROLLED.get(text, text) in read(page).texts
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2029]", page)
