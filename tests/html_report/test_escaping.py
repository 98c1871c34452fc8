"""Names, tags and responses of AWS may contain anything: the page shows it, and nothing of it becomes markup."""

import base64
import hashlib
import re
import zlib

import pytest

from rotation_guard.html_report.render import render_page
from rotation_guard.html_report.rows import split_rows

from . import sample
from .test_page import read


@pytest.fixture(scope="module")
def hostile() -> str:
    return render_page(sample.build_hostile_page())


def test_hostile_texts_become_no_elements(hostile):
    page, harmless = read(hostile), read(render_page(sample.build_page()))

    assert page.errors == []
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in harmless.elements} | {"svg"}
    assert len(page.attributes("script")) == len(harmless.attributes("script"))
    assert not [attributes for _, attributes in page.elements if any(name.startswith("on") for name in attributes)]


@pytest.mark.parametrize("text", sample.HOSTILE)
def test_a_hostile_text_is_shown_as_it_is_written(hostile, text):
    page = read(hostile)

    names = {text for text in page.texts if text}
    assert text in names
    assert text in {option["value"] for option in page.attributes("option")}


def test_control_characters_are_shown_and_are_not_in_the_file(hostile):
    page = read(hostile)

    for raw, shown in sample.CONTROLLED.items():
        assert raw not in hostile
        assert shown in page.texts
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2029]", hostile)


def test_a_link_leads_nowhere_but_to_the_console(hostile):
    addresses = [link["href"] or "" for link in read(hostile).attributes("a")]

    assert len(addresses) > 50
    assert not [
        address
        for address in addresses
        if not re.fullmatch(r"#[a-z]+|https://eu-west-1\.console\.aws\.amazon\.com/secretsmanager/secret\?\S+", address)
    ]


def test_the_policy_allows_the_page_its_own_script_and_style_only(hostile):
    [policy] = [
        meta["content"] or ""
        for meta in read(hostile).attributes("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    ]
    [style] = re.findall(r"<style>(.*?)</style>", hostile, re.DOTALL)
    script = re.findall(r"<script>(.*?)</script>", hostile, re.DOTALL)[-1]

    def hash_of(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    assert policy == (
        f"default-src 'none'; script-src 'sha256-{hash_of(script)}'; style-src 'sha256-{hash_of(style)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def test_the_page_refers_to_nothing_outside(hostile):
    page = read(hostile)

    loaded = [
        attributes for _, attributes in page.elements if {"src", "srcset", "data", "xlink:href"} & attributes.keys()
    ]
    assert loaded == []
    assert [link["href"] for link in page.attributes("link")] == ["data:,"]
    assert "url(" not in hostile
    assert "@import" not in hostile


def test_compressed_rows_are_the_rows_that_do_not_fit():
    page = sample.build_hostile_page()
    whole = render_page(page)
    rows = re.findall(r"<tr class=.*?\n", whole)

    split = split_rows(rows, max_bytes=len(rows[0].encode()) + 1)

    assert [*split.plain] == rows[:1]
    assert split.hidden == len(rows) - 1
    assert zlib.decompress(base64.b64decode(split.compressed)).decode() == "".join(rows[1:])
    assert re.fullmatch(r"[A-Za-z0-9+/=]+", split.compressed)
