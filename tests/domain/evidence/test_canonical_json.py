"""The text that is hashed, compared with what other programs make of the same row."""

import hashlib
import json
import re
from pathlib import Path

import pytest

from rotation_guard.domain.evidence.canonical_json import canonicalize
from rotation_guard.domain.evidence.links import LINK, Link, compute_hash

ROW = json.loads((Path(__file__).parent / "row.json").read_text(encoding="utf-8"))
SHA256_BY_NODE = "c770afb50fa9cee831439433e6a077bec9b5f78d849b972e100327c2b1b4474d"
"""RFC 8785 in JavaScript, in whose terms it is defined (JSON.stringify; names and sets through sort()), written to a
file by node and hashed by sha256sum of coreutils."""
PLAIN = {"b": {"N": "1"}, "a": {"S": 'é"\n'}}


def test_the_canonical_json_of_every_type_has_the_hash_that_other_programs_compute():
    assert hashlib.sha256(canonicalize(ROW)).hexdigest() == SHA256_BY_NODE


def test_the_hash_of_a_row_covers_everything_but_itself():
    content = {name: value for name, value in ROW.items() if name != LINK}
    link = {"M": {**ROW[LINK]["M"], "hash": {"S": "not part of it"}}}

    assert compute_hash(content, link) == SHA256_BY_NODE


def test_sets_have_no_order_and_binary_values_may_be_bytes():
    same = {**ROW, "texts": {"SS": list(reversed(ROW["texts"]["SS"]))}, "raw": {"B": b"\0\1\2"}}
    same["bytes"] = {"BS": [b"\1\2", b"\xff"]}

    assert canonicalize(same) == canonicalize(ROW)


@pytest.mark.parametrize("change", [{"N": "1806710401"}, {"S": "1806710400"}, {"N": "1806710400.0"}, {"NULL": True}])
def test_another_value_or_type_has_another_hash(change):
    assert canonicalize({**ROW, "expires_at": change}) != canonicalize(ROW)


def test_the_text_of_a_small_row_is_as_documented():
    assert canonicalize(PLAIN).decode() == '{"a":{"S":"é\\"\\n"},"b":{"N":"1"}}'
    assert not re.search(rb"[ \n]", canonicalize(PLAIN))


def test_a_link_is_read_as_it_was_written():
    link = Link.from_value({"M": {**ROW[LINK]["M"], "hash": {"S": "bb"}}})

    assert (link.sequence, link.previous_hash, link.hash) == (2, "aa", "bb")
    assert [(entry.sequence, entry.hash, entry.expires_at) for entry in link.ancestors] == [(1, "aa", None)]
    assert link.to_value() == {"M": {**ROW[LINK]["M"], "hash": {"S": "bb"}}}
