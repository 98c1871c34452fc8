"""A value in any form is read correctly, or is undecided."""

import pytest

from policies.model import values
from policies.model.values import SECRET, UNKNOWN, Undecided, to_plain

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"
UNKNOWNS = [
    "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
    "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
    "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
    "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
    "030794c1-ac77-496b-92df-f27374a8bd58",
    "e48ece36-62e2-4504-bad9-02848725956a",
    "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
]


@pytest.mark.parametrize("sentinel", UNKNOWNS)
def test_every_sentinel_of_the_engine_is_unknown(sentinel):
    assert to_plain({"a": [sentinel]}) == {"a": [UNKNOWN]}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ({SIGNATURE: SECRET_SIGNATURE, "ciphertext": "v1:x"}, SECRET),
        ({SIGNATURE: SECRET_SIGNATURE, "plaintext": '"hunter2"'}, SECRET),
        ({SIGNATURE: SECRET_SIGNATURE, "value": "hunter2"}, SECRET),
        ("[secret]", SECRET),
        ({SIGNATURE: "d0e6a833031e9bbcd3f4e8bde6ca49a4", "value": "x", "secret": True}, SECRET),
        ({SIGNATURE: "d0e6a833031e9bbcd3f4e8bde6ca49a4", "value": "x"}, "x"),
        ({SIGNATURE: "d0e6a833031e9bbcd3f4e8bde6ca49a4"}, UNKNOWN),
        ({SIGNATURE: "5cf8f73096256a8f31e491e813e4eb8e", "urn": "u", "id": "i-1"}, "i-1"),
        ({SIGNATURE: "c44067f5952c0a294b673a41bacd8c17", "path": "x"}, UNKNOWN),
        (604800.0, 604800),
        (0.5, 0.5),
        (True, True),
        (None, None),
        ({"__defaults": [], "a": 1}, {"a": 1}),
        (object, UNKNOWN),
    ],
)
def test_a_value_becomes_plain(written, read):
    assert to_plain({"it": written})["it"] == read


@pytest.mark.parametrize(
    ("tree", "read"),
    [
        ({"a": {"b": 5}}, 5),
        ({"a": '{"b": 5}'}, 5),
        ({"a": [{"b": 5}]}, 5),
        ({"A": {"B": 5}}, 5),
        ({"a": {"b": UNKNOWN}}, UNKNOWN),
        ({"a": None}, None),
        ({"a": ""}, None),
        ({"a": []}, None),
        ({}, None),
    ],
)
def test_a_path_goes_through_objects_json_and_lists_with_one_item(tree, read):
    assert values.get_path(tree, "a.b") == read


@pytest.mark.parametrize("tree", [UNKNOWN, SECRET, "no json", "[1, 2]", [{"b": 1}, {"b": 2}], 7])
def test_a_path_through_an_unreadable_value_is_undecided(tree):
    with pytest.raises(Undecided):
        values.get_path({"a": tree}, "a.b")


@pytest.mark.parametrize(
    ("reader", "written", "read"),
    [
        (values.number, 5, 5),
        (values.number, 5.0, 5),
        (values.number, " 5 ", 5),
        (values.number, "2.5", 2.5),
        (values.number, 0, 0),
        (values.number, "", None),
        (values.number, None, None),
        (values.text, "x", "x"),
        (values.text, "", None),
        (values.text, 5, "5"),
        (values.flag, False, False),
        (values.flag, "False", False),
        (values.flag, "true", True),
        (values.flag, None, None),
        (values.items, "x", ["x"]),
        (values.items, ["x", UNKNOWN], ["x", UNKNOWN]),
        (values.items, None, []),
        (values.texts, {"a": 1}.get("b"), []),
        (values.texts, ["x", "", "y"], ["x", "y"]),
        (values.document, '{"b": 1, "a": 2}', {"a": 2, "b": 1}),
        (values.document, {"a": 2}, {"a": 2}),
        (values.document, "  ", None),
        (values.document, None, None),
    ],
)
def test_a_reader_accepts_every_notation_of_its_type(reader, written, read):
    value = reader(written)
    assert value == read
    assert type(value) is type(read)


@pytest.mark.parametrize(
    ("reader", "written"),
    [
        *((reader, mark) for reader in (values.number, values.text, values.flag, values.items, values.document)
          for mark in (UNKNOWN, SECRET)),
        (values.number, "many"),
        (values.number, True),
        (values.number, [1]),
        (values.text, ["x"]),
        (values.text, True),
        (values.flag, "perhaps"),
        (values.flag, 1),
        (values.texts, ["x", UNKNOWN]),
        (values.document, "{"),
        (values.document, "[]"),
        (values.document, "[" * 200_000),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_undecided(reader, written):
    with pytest.raises(Undecided):
        reader(written)
