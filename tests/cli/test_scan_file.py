"""`rotation-guard scan --from`: the output of the AWS CLI, evaluated."""

import json

import pytest

from .conftest import NOW, entry, names, tags
from .stacks import ARN


def test_a_list_gets_the_audits_verdicts(run_json, list_file):
    path = list_file(
        entry("fresh", 3, RotationEnabled=True, LastRotatedDate="2026-02-26T12:00:00Z"),
        entry("old", 31),
        entry("gone", 31, DeletedDate="2026-03-05T00:00:00Z"),
    )

    answer = run_json("scan", "--from", path, "--now", NOW)

    expected = {
        secret["secret_name"]: (secret["verdict"], secret["status"], secret["attention"])
        for secret in answer["secrets"]
    }
    assert expected == {
        "fresh": ("fresh", "ok", False),
        "old": ("never_rotated", "needs_rotation", True),
        "gone": ("pending_deletion", "ok", False),
    }
    assert answer["version"] == 1
    assert answer["summary"] == {
        "total": 3,
        "attention": 1,
        "status": {"ok": 2, "needs_rotation": 1, "unknown": 0},
        "verdicts": {"pending_deletion": 1, "never_rotated": 1, "fresh": 1},
        "accepted": 1,
    }


def test_each_secret_has_the_documented_fields(run_json, list_file):
    path = list_file(entry("old", 31.5, Tags=tags(owner="payments")))

    answer = run_json("scan", "--from", path, "--now", NOW)

    assert answer["secrets"] == [
        {
            "secret_name": "old",
            "secret_arn": f"{ARN}:old-AbCdEf",
            "status": "needs_rotation",
            "verdict": "never_rotated",
            "attention": True,
            "reason": (
                "It has its first value and was never rotated. The value in use is 31 days old; the limit is 30."
            ),
            "age_days": 31,
            "limit_days": 30,
            "value_created_at": "2026-01-29T00:00:00Z",
            "due_at": "2026-02-28T00:00:00Z",
            "since": None,
            "owner": "payments",
            "current_version_id": "v1",
            "checked_at": None,
            "account_id": "123456789012",
            "region": "eu-west-1",
            "exempt_until": None,
            "exempt_reason": None,
        }
    ]


@pytest.mark.parametrize(
    "date",
    [
        "2026-01-01T00:00:00+00:00",
        "2026-01-01T01:00:00+01:00",
        "2026-01-01T00:00:00Z",
        "2026-01-01",
        1767225600,
        1767225600.25,
    ],
)
def test_dates_are_accepted_as_the_aws_cli_writes_them(run_json, list_file, date):
    path = list_file(entry("one", VersionCreatedDates={"v1": date}))

    answer = run_json("scan", "--from", path, "--now", NOW)

    assert answer["secrets"][0]["value_created_at"] == "2026-01-01T00:00:00Z"


def test_without_version_dates_the_reason_names_the_date_that_was_used(run_json, list_file):
    path = list_file({**entry("old", 40), "VersionCreatedDates": None})

    answer = run_json("scan", "--from", path, "--now", NOW)

    assert "Based on CreatedDate" in answer["secrets"][0]["reason"]


def test_version_dates_without_the_current_version_are_unknown(run_json, list_file):
    answer = run_json("scan", "--from", list_file(entry("one", VersionCreatedDates={})), "--now", NOW)

    assert answer["secrets"][0]["verdict"] == "unknown"
    assert "is not in the list of versions" in answer["secrets"][0]["reason"]


def test_a_bare_list_on_standard_input_is_accepted(run_json):
    answer = run_json("scan", "--from", "-", "--now", NOW, stdin=json.dumps([entry("a"), entry("b")]))

    assert sorted(names(answer)) == ["a", "b"]
    assert answer["source"] == {"kind": "file", "description": "The list of secrets in standard input", "name": "-"}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_the_encodings_of_windows_shells_are_accepted(run_json, encoding):
    answer = run_json("scan", "--from", "-", "--now", NOW, stdin=json.dumps([entry("café")]).encode(encoding))

    assert names(answer) == ["café"]


def test_an_empty_list_is_a_valid_report(run_json, run, list_file):
    answer = run_json("scan", "--from", list_file(), "--exit-code")

    assert answer["secrets"] == []
    assert answer["summary"]["total"] == 0
    assert "No secrets match." in run("scan", "--from", list_file()).stdout


def test_a_secret_that_is_listed_twice_counts_once(run_json, list_file):
    assert names(run_json("scan", "--from", list_file(entry("a"), entry("a")), "--now", NOW)) == ["a"]


def test_a_truncated_list_causes_a_warning(run, run_json, list_file):
    path = list_file(entry("a"), NextToken="more")

    assert "NextToken" in run_json("scan", "--from", path, "--now", NOW)["warnings"][0]
    assert run("scan", "--from", path, "--now", NOW, "--exit-code").exit_code == 1


@pytest.mark.parametrize(
    ("options", "verdict"),
    [
        (["--max-age-days", "9"], "never_rotated"),
        (["--max-age-days", "10"], "due_soon"),
        (["--warn-days", "20"], "due_soon"),
        (["--warn-days", "19"], "in_grace"),
        (["--max-age-class", "name:prod/*=5"], "never_rotated"),
        (["--max-age-class", "name:test/*=5"], "in_grace"),
        (["--max-age-class", "tag:tier=5"], "never_rotated"),
        (["--max-age-class", "tag:tier=gold=5"], "never_rotated"),
        (["--max-age-class", "tag:tier=a=b=5"], "in_grace"),
        (["--max-age-class", "tag:tier=silver=5", "--max-age-class", "tag:tier=gold=6"], "never_rotated"),
        (["--max-age-class", "name:prod/* tag:tier=gold=5"], "never_rotated"),
        (["--max-age-class", "name:prod/* tag:tier=silver=5"], "in_grace"),
    ],
)
def test_settings_are_options(run_json, list_file, options, verdict):
    path = list_file(entry("prod/db", 10, Tags=tags(tier="gold")))

    answer = run_json("scan", "--from", path, "--now", NOW, *options)

    assert answer["secrets"][0]["verdict"] == verdict


def test_the_settings_are_part_of_the_report(run_json, list_file):
    options = ["--max-age-days", "90", "--max-age-class", "tag:tier=gold=7", "--managed-tag", "Managed=true"]

    answer = run_json("scan", "--from", list_file(), "--now", NOW, *options)

    assert answer["settings"] == {
        "max_age_days": 90,
        "warn_days": 7,
        "stuck_hours": 24,
        "missed_hours": 24,
        "max_age_classes": [{"class": "tag tier=gold", "days": 7}],
        "managed_tag": "Managed=true",
    }
    assert answer["as_of"] == NOW


def test_stuck_and_missed_hours_are_options(run_json, list_file):
    missed = entry("late", RotationEnabled=True, NextRotationDate="2026-03-01T00:00:00Z")
    stuck = entry("stuck", SecretVersionsToStages={"v1": ["AWSCURRENT"], "v2": ["AWSPENDING"]})
    stuck["VersionCreatedDates"] |= {"v2": "2026-03-01T00:00:00Z"}

    def verdicts(*options):
        answer = run_json("scan", "--from", list_file(missed, stuck), "--now", NOW, *options)
        return {secret["secret_name"]: secret["verdict"] for secret in answer["secrets"]}

    assert verdicts() == {"late": "in_grace", "stuck": "in_grace"}
    assert verdicts("--missed-hours", "11", "--stuck-hours", "11") == {
        "late": "rotation_missed",
        "stuck": "rotation_failing",
    }


def test_the_managed_tag_limits_the_scan(run_json, list_file):
    path = list_file(
        entry("ours", Tags=tags(Managed="true")), entry("near", Tags=tags(ManagedBy="true")), entry("none", Tags=None)
    )

    assert names(run_json("scan", "--from", path, "--managed-tag", "Managed=true")) == ["ours"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ["oldest", "older", "young", "soon"]),
        (["--verdict", "never_rotated"], ["oldest", "older"]),
        (["--verdict", "due_soon", "--verdict", "in_grace"], ["soon", "young"]),
        (["--owner", "payments"], ["older", "young"]),
        (["--owner", "payments", "--owner", "search"], ["oldest", "older", "young"]),
        (["--owner", "pay"], []),
        (["--older-than", "31d"], ["oldest"]),
        (["--older-than", "743h"], ["oldest", "older"]),
        (["--older-than", "2w"], ["oldest", "older", "soon"]),
        (["--due-within", "5d"], ["soon"]),
        (["--due-within", "30d"], ["soon", "young"]),
        (["--owner", "payments", "--older-than", "30d"], ["older"]),
    ],
)
def test_a_secret_must_meet_all_filters(run_json, list_file, options, expected):
    path = list_file(
        entry("oldest", 40, Tags=tags(owner="search")),
        entry("older", 31, Tags=tags(owner="payments")),
        entry("soon", 25),
        entry("young", 3, Tags=tags(owner="payments")),
    )

    answer = run_json("scan", "--from", path, "--now", NOW, *options)

    assert sorted(names(answer)) == sorted(expected)


def test_secrets_without_a_due_date_here_are_not_due(run_json, list_file):
    exempt = tags(owner="me", exempt_reason="a vendor", exempt_until="2026-06-01")
    path = list_file(
        entry("deleted", 26, DeletedDate=NOW),
        entry("replica", 26, PrimaryRegion="us-east-1"),
        entry("managed", 26, OwningService="rds", RotationEnabled=True, RotationRules={"AutomaticallyAfterDays": 30}),
        entry("exempt", 26, Tags=exempt),
        entry("overdue", 31),
        entry("at-the-limit", 30),
    )

    assert names(run_json("scan", "--from", path, "--now", NOW, "--due-within", "14d")) == ["at-the-limit"]


def test_secrets_that_need_attention_come_first_and_then_the_oldest(run_json, list_file):
    rules = {"AutomaticallyAfterDays": 90}
    managed = entry("managed", 90, OwningService="rds", RotationEnabled=True, RotationRules=rules)
    path = list_file(entry("b", 3), entry("c", 40), managed, entry("a", 20), entry("d", 50))

    assert names(run_json("scan", "--from", path, "--now", NOW)) == ["d", "c", "managed", "a", "b"]


@pytest.mark.parametrize(
    "none",
    [
        "0001-01-01T00:00:00",
        "0001-01-01T00:00:00+01:00",
        "1601-01-01T00:00:00Z",
        "1900-01-01",
        0,
        -62135596800,
        "1970-01-01T00:00:00+00:00",
        "2018-04-03T23:59:59Z",
        "9999-12-31T23:59:59.9999999",
        "9999-12-31T23:59:59-08:00",
    ],
)
def test_a_placeholder_date_is_ignored_in_every_field(run_json, list_file, none):
    dates = ("DeletedDate", "LastRotatedDate", "NextRotationDate")
    [without] = run_json("scan", "--from", list_file(entry("orders", 40)), "--now", NOW)["secrets"]

    [secret] = run_json("scan", "--from", list_file(entry("orders", 40, **dict.fromkeys(dates, none))), "--now", NOW)[
        "secrets"
    ]

    assert secret == without
    assert secret["status"] == "needs_rotation"


def test_a_secret_with_only_placeholder_dates_is_unknown(run_json, list_file):
    dates = ("DeletedDate", "LastRotatedDate", "NextRotationDate", "CreatedDate", "LastChangedDate")
    none = entry("orders", 40, **dict.fromkeys(dates, "0001-01-01T00:00:00+01:00"))
    del none["VersionCreatedDates"]
    version = entry("orders", 40)
    version["VersionCreatedDates"] = dict.fromkeys(version["SecretVersionsToStages"], 0)

    for secret in (none, version):
        [expected] = run_json("scan", "--from", list_file(secret), "--now", NOW)["secrets"]
        assert (expected["verdict"], expected["attention"]) == ("unknown", True), expected


@pytest.mark.parametrize("owner", ["events", "appflow", "aws-datasync", "directconnect", "databrew", "sqlworkbench"])
def test_a_service_that_does_not_rotate_its_secrets_is_no_excuse(run_json, list_file, owner):
    [secret] = run_json("scan", "--from", list_file(entry("orders", 1417, OwningService=owner)), "--now", NOW)[
        "secrets"
    ]

    assert (secret["status"], secret["attention"]) == ("needs_rotation", True)
    assert f"It belongs to the service {owner}, which does not rotate it." in secret["reason"]


def test_secrets_of_unknown_age_cause_a_warning(run, run_json, list_file):
    path = list_file(entry("young"), entry("lost", SecretVersionsToStages={}))

    answer = run_json("scan", "--from", path, "--now", NOW, "--older-than", "30d")

    assert names(answer) == []
    assert answer["warnings"] == [
        "The age of 1 secret is unknown, so the report may be incomplete: --verdict unknown lists them."
    ]
    assert run("scan", "--from", path, "--now", NOW, "--older-than", "30d", "--exit-code").exit_code == 1


def test_the_exit_code_shows_on_request_whether_a_secret_needs_attention(run, list_file):
    path = list_file(entry("old", 40, Tags=tags(owner="search")), entry("young", 2, Tags=tags(owner="payments")))

    assert run("scan", "--from", path, "--now", NOW).exit_code == 0
    assert run("scan", "--from", path, "--now", NOW, "--exit-code").exit_code == 1
    assert run("scan", "--from", path, "--now", NOW, "--exit-code", "--owner", "payments").exit_code == 0


def test_five_thousand_secrets_are_evaluated(run_json, list_file):
    answer = run_json("scan", "--from", list_file(*(entry(f"s/{i}", i % 60) for i in range(5000))), "--now", NOW)

    assert len(answer["secrets"]) == answer["summary"]["total"] == 5000


def test_pages_of_a_list_are_one_list(run, run_json):
    pages = [
        {"SecretList": [entry("a"), entry("b", 3)], "NextToken": "t"},
        {"SecretList": [], "NextToken": "u"},
        {"SecretList": [entry("c"), entry("b", 5)]},
    ]

    answer = run_json("scan", "--from", "-", "--now", NOW, stdin=json.dumps(pages))

    assert sorted(names(answer)) == ["a", "b", "c"]
    assert answer["warnings"] == []


def test_missing_pages_cause_a_warning(run_json):
    pages = [{"SecretList": [entry("a")], "NextToken": "t"}, {"SecretList": [entry("b")], "NextToken": "u"}]

    answer = run_json("scan", "--from", "-", "--now", NOW, stdin=json.dumps(pages))

    assert "AWS had more secrets" in answer["warnings"][0]


def test_an_empty_list_of_pages_has_no_secrets(run_json):
    assert names(run_json("scan", "--from", "-", stdin="[]")) == []
