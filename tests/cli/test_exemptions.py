"""The register of exemptions: what was accepted, by whom, why and until when."""

import json

from .conftest import NOW, entry, names, tags


def exempt(name, until="2026-03-11", **more):
    return entry(
        name, 90, Tags=tags(exempt_until=until, exempt_reason="The vendor rotates it.", owner="payments", **more)
    )


def test_the_register_has_owner_reason_end_and_days_left(run_json, list_file):
    path = list_file(exempt("valid"), exempt("ended", "2026-02-27"), exempt("endless", "2099-01-01"), entry("other"))

    register = run_json("scan", "--from", path, "--now", NOW)["exemptions"]

    assert [(each["secret_name"], each["state"], each["until"], each["days_left"]) for each in register] == [
        ("ended", "invalid", "2026-02-27", -2),
        ("valid", "valid", "2026-03-11", 10),
        ("endless", "invalid", "2099-01-01", 26604),
    ]
    assert {each["owner"] for each in register} == {"payments"}
    assert {each["reason"] for each in register} == {"The vendor rotates it."}


def test_the_last_day_of_an_exemption_has_no_day_left(run_json, list_file):
    [entry] = run_json("scan", "--from", list_file(exempt("valid", "2026-03-01")), "--now", NOW)["exemptions"]

    assert (entry["state"], entry["days_left"]) == ("valid", 0)


def test_an_end_that_is_no_date_is_listed_first(run_json, list_file):
    path = list_file(exempt("valid"), exempt("someday", "someday"))

    register = run_json("scan", "--from", path, "--now", NOW)["exemptions"]

    assert [(each["until"], each["days_left"]) for each in register] == [("someday", None), ("2026-03-11", 10)]


def test_an_exemption_that_another_verdict_precedes_is_not_applied(run_json, list_file):
    path = list_file(exempt("gone") | {"DeletedDate": "2026-02-01"})

    assert [each["state"] for each in run_json("scan", "--from", path, "--now", NOW)["exemptions"]] == ["not applied"]


def test_the_command_lists_the_exemptions_of_a_deployment(audit_stack, run):
    audit_stack.run()
    audit_stack.status("spared", 90, verdict="exempt", exempt_until="2099-01-01", exempt_reason="A reason.", owner="a")
    audit_stack.status("older", 90, verdict="exempt", reason="Exempt until 2027-01-01 by b: an old row.", owner="b")
    audit_stack.status(
        "ended",
        attention="yes",
        attention_since="2026",
        verdict="exemption_invalid",
        exempt_until="2020-01-01",
        exempt_reason="Once.",
    )
    audit_stack.status("young")
    command = ["exemptions", "--stack-outputs", str(audit_stack.outputs)]

    answer = json.loads(run(*command, "--format", "json").stdout)
    assert [(each["secret_name"], each["state"]) for each in answer["exemptions"]] == [
        ("older", "valid"),
        ("ended", "invalid"),
        ("spared", "valid"),
    ]
    assert answer["exemptions"][0]["reason"] == "Exempt until 2027-01-01 by b: an old row."
    table = run(*command, COLUMNS="200").stdout
    assert "3 exemptions: 1 needs attention." in table
    assert "Owner: a. Reason: A reason." in table
    lines = run(*command, "--format", "csv").stdout.splitlines()
    assert lines[0].startswith("secret_name,account_id,region,state,owner,reason,until,days_left")
    assert len(lines) == 4
    assert run(*command, "--exit-code").exit_code == 1
    assert len(json.loads(run(*command, "--owner", "a", "--format", "json").stdout)["exemptions"]) == 1


def test_without_exemptions_the_register_says_so(audit_stack, run):
    audit_stack.run()
    audit_stack.status("young")

    result = run("exemptions", "--stack-outputs", str(audit_stack.outputs), "--exit-code")

    assert result.exit_code == 0
    assert "No secret has an exemption." in result.stdout


def test_totals_by_owner_add_up(run_json, list_file):
    path = list_file(
        entry("a1", 90, Tags=tags(owner="a")), entry("a2", Tags=tags(owner="a")), exempt("p"), entry("nobody", 90)
    )

    answer = run_json("scan", "--from", path, "--now", NOW)

    totals = {
        each["owner"]: (each["total"], each["over_limit"], each["accepted"]["total"]) for each in answer["owners"]
    }
    assert totals == {"a": (2, 1, 0), None: (1, 1, 0), "payments": (1, 0, 1)}
    assert sum(total for total, _, _ in totals.values()) == len(names(answer))


def test_a_table_has_ten_owners_and_says_how_many_more(run, list_file):
    path = list_file(*(entry(f"s{index}", Tags=tags(owner=f"team {index:02}")) for index in range(12)))

    table = run("scan", "--from", path, "--now", NOW).stdout
    markdown = run("scan", "--from", path, "--now", NOW, "--format", "markdown").stdout

    assert "2 more owners" in table
    assert "team 11  " not in table
    assert "| team 11 |" in markdown
