"""One report on several deployments, accounts and Regions, and on a deployment of which a part cannot be read."""

import csv
import io
import json

import pytest

from .conftest import CALLER, NOW, aws_error, entry, names
from .stacks import ACCOUNT

OTHER = "210987654321"


@pytest.fixture
def filled_stack(audit_stack):
    """A stack with one secret over its limit and one within."""
    audit_stack.run(hours=0.2, settings={"max_age_days": 30, "managed_tag": "Managed=true", "max_age_classes": []})
    audit_stack.needs_attention("old")
    audit_stack.status("young")
    return audit_stack


@pytest.fixture
def other_outputs(filled_stack, tmp_path):
    """The outputs of a stack in another account, whose tables have other names and do not exist."""
    path = tmp_path / "other.json"
    outputs = json.loads(filled_stack.outputs.read_text())
    outputs |= {name: f"other-{outputs[name]}" for name in outputs if name.endswith("table_name")}
    path.write_text(json.dumps(outputs).replace(ACCOUNT, OTHER))
    return path


@pytest.fixture
def twins(filled_stack, shared_client, tmp_path):
    """Options for this stack and another one in the same account, with the same secrets in another table."""
    dynamodb = shared_client("dynamodb")
    table = dynamodb.describe_table(TableName="status")["Table"]
    indexes = [
        {name: index[name] for name in ("IndexName", "KeySchema", "Projection")}
        for index in table["GlobalSecondaryIndexes"]
    ]
    kept = {name: table[name] for name in ("KeySchema", "AttributeDefinitions")}
    dynamodb.create_table(TableName="twin", BillingMode="PAY_PER_REQUEST", GlobalSecondaryIndexes=indexes, **kept)
    for item in dynamodb.scan(TableName="status")["Items"]:
        dynamodb.put_item(TableName="twin", Item=item)
    path = tmp_path / "twin.json"
    path.write_text(json.dumps(json.loads(filled_stack.outputs.read_text()) | {"status_table_name": "twin"}))
    return ["--stack-outputs", str(filled_stack.outputs), "--stack-outputs", str(path)]


def read(result):
    return json.loads(result.stdout)


def test_a_report_says_what_it_is_based_on(filled_stack, report_json):
    answer = report_json()

    assert answer["headline"] == (
        "1 of 2 secrets is over its limit; 0 could not be judged; 0 are accepted; last complete run 11 minutes ago"
    )
    assert answer["identity"] == {
        "account_id": ACCOUNT,
        "account_alias": None,
        "region": "eu-west-1",
        "caller_arn": CALLER,
    }
    assert answer["settings"]["max_age_days"] == 30
    assert [part["tally"]["total"] for part in answer["parts"]] == [2]


@pytest.mark.parametrize("chosen", ["table", "json", "csv", "markdown"])
def test_every_format_names_account_region_limits_run_version_caller_and_time(filled_stack, run, chosen):
    run_id = filled_stack.run(hours=0.1, settings={"max_age_days": 31, "managed_tag": "Managed=yes"})
    filled_stack.answers["ListAccountAliases"] = lambda _: {"AccountAliases": ["acme-prod"]}

    text = run("report", "--stack-outputs", str(filled_stack.outputs), "--format", chosen, COLUMNS="400").stdout

    for fact in (
        ACCOUNT,
        "acme-prod",
        "eu-west-1",
        "31",
        "Managed=yes",
        run_id,
        "0.",
        CALLER,
        f"{filled_stack.now:%Y-%m-%d}",
    ):
        assert fact in text


def test_filters_choose_what_is_listed_and_not_what_is_counted(filled_stack, report_json):
    filled_stack.status(
        "spared", 90, verdict="exempt", exempt_until="2099-01-01", exempt_reason="It is being replaced."
    )

    answer = report_json("--older-than", "30d")

    assert names(answer) == ["old", "spared"]
    assert answer["tally"]["total"] == 3
    assert answer["summary"]["accepted"] == 1


def test_the_summary_says_how_many_of_the_listed_are_accepted(filled_stack, run):
    filled_stack.status("spared", 90, verdict="exempt")

    table = run("report", "--stack-outputs", str(filled_stack.outputs), "--older-than", "30d").stdout

    assert "Of these, 1 is accepted (1 exempt)." in " ".join(table.split())


def test_the_cheaper_question_has_the_headline_of_the_run(filled_stack, report_json):
    filled_stack.run(hours=0.1, checked=214, flagged=17, unknown=4, outdated_replicas=0, accepted={"exempt": 9})

    assert report_json("--attention")["headline"].startswith(
        "17 of 214 secrets are over their limit; 4 could not be judged; 9 are accepted (9 exempt); last complete run"
    )


def test_two_deployments_are_one_report_whose_rows_name_their_account(twins, run):
    answer = read(run("report", *twins, "--format", "json"))

    assert answer["source"]["kind"] == "several"
    assert answer["tally"]["over_limit"] == 2
    assert answer["headline"].endswith("oldest last complete run 11 minutes ago")
    assert sorted(names(answer)) == ["old", "old", "young", "young"]
    table = run("report", *twins, COLUMNS="120").stdout
    assert table.count(f"{ACCOUNT} eu-west-1") == 4
    assert "ACCOUNT" in table


def test_changes_of_two_deployments_are_told_apart(filled_stack, twins, run):
    before = filled_stack.run(hours=26)
    for name in ("old", "young"):
        filled_stack.history(name, before, 26, days=10)

    answer = read(run("report", *twins, "--since", "1d", "--format", "json"))

    assert names(answer) == ["old", "old"]


def test_an_unreadable_deployment_is_named_and_the_other_one_reported(filled_stack, other_outputs, run):
    options = ["--stack-outputs", str(other_outputs), "--stack-outputs", str(filled_stack.outputs)]

    result = run("report", *options, "--format", "json")

    answer = read(result)
    assert result.exit_code == 3
    assert names(answer) == ["old", "young"]
    assert [bool(part["unreadable"]) for part in answer["parts"]] == [True, False]
    assert f"account {OTHER}" in answer["unreadable"][0]
    assert answer["headline"].endswith("1 of 2 accounts and Regions could not be counted")
    assert OTHER in result.stderr
    for chosen in ("table", "csv", "markdown"):
        result = run("report", *options, "--format", chosen)
        assert result.exit_code == 3
        assert OTHER in result.stderr
        assert "young" in result.stdout


def test_credentials_of_another_account_are_one_sentence(filled_stack, run):
    filled_stack.answers["GetCallerIdentity"] = lambda _: {"Account": OTHER, "Arn": CALLER}

    result = run("report", "--stack-outputs", str(filled_stack.outputs))

    assert result.exit_code == 3
    assert result.stdout == ""
    assert result.stderr.endswith(f"is in account {ACCOUNT}, and the credentials are for {OTHER}.\n")
    assert result.stderr.count("\n") == 1


def test_a_caller_who_cannot_be_identified_gets_the_report(filled_stack, report_json):
    filled_stack.answers["GetCallerIdentity"] = lambda _: aws_error("AccessDenied")

    answer = report_json()

    assert names(answer) == ["old", "young"]
    assert answer["identity"] == {
        "account_id": None,
        "account_alias": None,
        "region": "eu-west-1",
        "caller_arn": None,
    }


def deny_table(stack, table):
    """Refuses every read of one table, as IAM does."""
    for operation in ("Scan", "Query", "BatchGetItem"):

        def answer(request):
            return aws_error("AccessDeniedException")

        stack.answers[operation] = lambda request, answer=answer: (
            answer(request) if request.get("TableName") == table else pass_on(stack, request)
        )


def pass_on(stack, request):
    operation = "query" if "KeyConditionExpression" in request else "scan"
    items = (
        []
        if request["TableName"] == "runs" and operation == "query"
        else stack._dynamodb.scan(TableName=request["TableName"])["Items"]
    )
    return {"Items": items, "Count": len(items), "ScannedCount": len(items)}


def test_a_denied_table_of_runs_leaves_the_secrets(filled_stack, run):
    deny_table(filled_stack, "runs")

    result = run("report", "--stack-outputs", str(filled_stack.outputs), "--format", "json")

    answer = read(result)
    assert result.exit_code == 3
    assert names(answer) == ["old", "young"]
    assert answer["headline"] == "1 of 2 secrets is over its limit; 0 could not be judged; 0 are accepted"
    assert "table runs: Query was refused: AccessDeniedException" in result.stderr
    assert result.stderr.count("\n") == 1


def test_half_a_stack_answers_half_of_the_question(filled_stack, run, tmp_path):
    outputs = json.loads(filled_stack.outputs.read_text())
    del outputs["status_table_name"]
    filled_stack.outputs.write_text(json.dumps(outputs))
    filled_stack.run(hours=0.1, checked=5, flagged=2, unknown=0, accepted={})

    result = run("report", "--stack-outputs", str(filled_stack.outputs))

    assert result.exit_code == 3
    assert "2 of 5 secrets are over their limit" in result.stdout
    assert "must have status_table_name" in result.stderr


def test_rows_of_an_older_or_later_release_are_reported(filled_stack, report_json):
    filled_stack.status("older", since=None, owner=None, limit_days=None, reason=None)
    filled_stack.status("later", verdict="quarantined", status="quarantined", attention="yes", attention_since="2026")

    answer = report_json()

    assert {"older", "later"} < set(names(answer))
    assert answer["summary"]["verdicts"]["quarantined"] == 1
    assert answer["tally"]["unknown"] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--profile", "a", "--profile", "b"], "got 2 profiles for one deployment."),
        (
            ["--stack-outputs", "a", "--stack-outputs", "b", *["--profile", "a"] * 3],
            "--profile must be given once, or once for each --stack-outputs, got 3 profiles for 2 deployments.",
        ),
        (["--stack-outputs", "-", "--stack-outputs", "-"], "--stack-outputs must be - once at most"),
    ],
)
def test_profiles_that_fit_no_deployment_are_refused(run, options, message):
    result = run("report", *options)

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


def test_a_scan_of_several_regions_names_the_one_that_cannot_be_read(run, aws, monkeypatch):
    import boto3

    boto3.client("secretsmanager", region_name="us-east-1").create_secret(Name="there", SecretString="x")

    result = run("scan", "--region", "us-east-1", "--region", "not a region", "--format", "json")

    answer = read(result)
    assert result.exit_code == 3
    assert [secret["region"] for secret in answer["secrets"]] == ["us-east-1"]
    assert "Region not a region cannot be read" in result.stderr


def test_a_scan_of_which_nothing_can_be_read_is_an_error(run, aws):
    result = run("scan", "--region", "not a region", "--region", "no region either")

    assert (result.exit_code, result.stdout) == (3, "")
    assert "Region no region either cannot be read" in result.stderr


def test_csv_has_the_account_of_every_row(run, list_file):
    text = run("scan", "--from", list_file(entry("one")), "--now", NOW, "--format", "csv").stdout

    [row] = csv.DictReader(io.StringIO(text))
    assert (row["account_id"], row["region"], row["settings"][:13]) == (ACCOUNT, "eu-west-1", "limit 30 days")


def test_a_deployment_that_is_given_twice_is_refused(filled_stack, run, tmp_path):
    copy = tmp_path / "copy.json"
    copy.write_text(filled_stack.outputs.read_text())
    outputs = str(filled_stack.outputs)

    for other in (outputs, str(copy)):
        result = run("report", "--stack-outputs", outputs, "--stack-outputs", other)
        assert (result.exit_code, result.stdout) == (2, "")
        sentence = " ".join(result.stderr.split())
        assert sentence.startswith("--stack-outputs must be of different deployments, got ")
        assert sentence.endswith("which have the same table status.")


def test_a_region_or_profile_that_is_given_twice_counts_once(stack, run):
    stack.secret("orders/db")
    once = ("--region", "eu-west-1")

    answers = [read(run("scan", *regions, "--format", "json")) for regions in (once, once * 2)]
    collected = json.loads(run("collect", *once * 2).stdout)

    assert [answer["tally"]["total"] for answer in answers] == [1, 1]
    assert len(answers[1]["parts"]) == 1
    assert isinstance(collected, dict)
