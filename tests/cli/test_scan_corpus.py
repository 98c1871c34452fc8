"""The labelled corpus of the audit, through the command line: each file gets its verdict."""

import json

import pytest

from tests.paths import EVENTS

CASES = sorted((EVENTS / "secrets").glob("*.json"))
# A file cannot tell that AWS refused to list the versions.
READ = [path for path in CASES if "problem" not in json.loads(path.read_text(encoding="utf-8"))]
OPTIONS = {
    "max_age_days": "--max-age-days",
    "warn_days": "--warn-days",
    "stuck_hours": "--stuck-hours",
    "missed_hours": "--missed-hours",
}


def options(settings):
    """The settings of a case as options."""
    for name, value in settings.items():
        if name == "classes":
            yield from (part for criteria in value for part in ("--max-age-class", age_class(**criteria)))
        else:
            yield from (OPTIONS[name], str(value))


def age_class(days, name=None, tag_key=None, tag_value=None):
    tag = None if tag_key is None else f"tag:{tag_key}" if tag_value is None else f"tag:{tag_key}={tag_value}"
    return " ".join(part for part in (name and f"name:{name}", tag) if part) + f"={days}"


def test_there_is_a_corpus():
    assert len(READ) >= 60


@pytest.mark.parametrize("path", READ, ids=[path.stem for path in READ])
def test_a_file_gets_the_right_verdict(run_json, path):
    case = json.loads(path.read_text(encoding="utf-8"))
    entry = {**case["entry"], "VersionCreatedDates": case.get("versions")}

    answer = run_json(
        "scan", "--from", "-", "--now", case["now"], *options(case["settings"]), stdin=json.dumps([entry])
    )

    secret = answer["secrets"][0]
    assert (secret["verdict"], secret["status"], secret["attention"]) == (
        case["verdict"],
        case["status"],
        case["attention"],
    )
    for named in case.get("reason_names", ()):
        assert named in secret["reason"]
