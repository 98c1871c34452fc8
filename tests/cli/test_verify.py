"""`verify`: what it says of chains that are intact, broken, growing and unreadable."""

import csv
import io
import json

import pytest

from rotation_guard.domain.evidence.links import LINK
from tests.domain.evidence.chain import Chain, build, iso, rehash

from .chained_trail import LASTING, create_trail
from .conftest import IDENTITY_CALLS, aws_error
from .stacks import ARN


@pytest.fixture
def trail(stack, shared_client):
    return create_trail(stack, shared_client("dynamodb"))


@pytest.fixture
def verify(run_on_stack):
    """Runs `verify`; returns its exit code and its JSON."""

    def invoke(*words):
        result = run_on_stack("verify", *words, "--format", "json")
        assert result.stdout, result.stderr
        return result.exit_code, json.loads(result.stdout)

    return invoke


def tables(answer):
    return {table["table"]: {name: table[name] for name in table if name != "table"} for table in answer["tables"]}


def named(answer):
    return [(finding["secret_name"], finding["finding"], finding["sequence"]) for finding in answer["findings"]]


def test_intact_chains_are_counted(trail, verify):
    trail.record("orders/db")
    trail.record("billing/db", count=2)
    trail.chains["older"] = Chain(f"{ARN}:older-AbCdEf")
    trail.chains["older"].rows["2026-02-01T00:00:00Z#x"] = {"recorded_at": {"S": iso(-28)}}
    trail.write()

    code, answer = verify()

    assert code == 0
    assert (answer["version"], answer["warnings"], answer["findings"]) == (1, [], [])
    assert answer["summary"] == {"intact": True, "findings": 0}
    of_trail = {"rows": 8, "secrets": 2, "older": 1, "expired": 0, "findings": 0}
    assert tables(answer)["trail"] == {"table_name": "audit-trail", **of_trail}
    assert tables(answer)["incidents"]["rows"] == 0


def test_the_first_row_of_each_broken_chain_is_named(trail, verify):
    for name in ("changed", "fine", "inserted", "removed"):
        trail.record(name)
    changed, inserted = trail.chains["changed"], trail.chains["inserted"]
    for number in (3, 5):
        changed.rows[changed.key(number)]["full_event"] = {"S": "{}"}
    inserted.rows["2026-03-02T00:00:00Z#inserted"] = {**inserted.rows[inserted.key(2)]}
    trail.chains["removed"].remove(4)
    trail.write()

    code, answer = verify("--table", "trail")

    assert code == 1
    assert named(answer) == [("changed", "changed", 3), ("inserted", "inserted", 2), ("removed", "removed", 4)]
    assert answer["findings"][0]["row"] == changed.key(3)
    assert answer["findings"][0]["secret_arn"] == changed.arn
    assert answer["summary"] == {"intact": False, "findings": 3}


def test_every_format_names_the_row_and_says_what_was_expected(trail, run_on_stack):
    chain = trail.record("orders/db")
    key = chain.key(3)
    chain.rows[key]["full_event"] = {"S": "{}"}
    stored = chain.rows[key][LINK]["M"]["hash"]["S"]
    trail.write()

    table = run_on_stack("verify", COLUMNS="200")
    assert table.exit_code == 1
    assert "Audit trail: 6 rows of 1 secret checked." in table.stdout
    assert "1 chain is broken: the first row of each that was changed, removed or inserted." in table.stdout
    assert f"{key}: its link says the hash {stored}, and its content has the hash " in " ".join(table.stdout.split())
    [row] = csv.DictReader(io.StringIO(run_on_stack("verify", "--format", "csv").stdout))
    assert (row["secret_name"], row["finding"], row["sequence"], row["row"]) == ("orders/db", "changed", "3", key)
    assert "| orders/db | trail | changed | 3 |" in run_on_stack("verify", "--format", "markdown").stdout


@pytest.mark.parametrize("secret", ["orders/db", f"{ARN}:orders/db-AbCdEf"])
def test_one_secret_can_be_verified_alone(trail, verify, secret):
    trail.record("orders/db", count=3)
    trail.record("broken")
    trail.chains["broken"].remove(2)
    trail.write()

    code, answer = verify(secret)

    assert (code, named(answer)) == (0, [])
    assert tables(answer)["trail"]["rows"] == 3


@pytest.mark.parametrize("secret", ["unknown", f"{ARN}:unknown-AbCdEf", ""])
def test_a_secret_without_rows_is_an_error(trail, run_on_stack, secret):
    trail.record("orders/db")

    result = run_on_stack("verify", secret)

    assert (result.exit_code, result.stdout) == (2, "")
    message = f"SECRET must be the name or the ARN of a secret with rows in these tables, got {secret!r}."
    assert message in " ".join(result.stderr.split())


def test_rows_that_are_recorded_while_it_reads_are_not_taken_for_tampering(trail, stack, verify):
    chain = trail.record("orders/db")
    head = chain.head
    for day in (7, 8):
        chain.append(day, LASTING)
    trail.write()
    heads = iter([head])
    scan = trail.dynamodb.scan(TableName="audit-trail")["Items"]
    stack.answers["Scan"] = lambda request: {
        "Items": [next(heads) if item["recorded"]["S"] == "head" else item for item in scan]
        if request["TableName"] == "audit-trail" and request["Segment"] == 0
        else []
    }
    # The head of six rows, and then that of eight: two were recorded in between.
    answers = iter([{"Item": head}, {"Item": chain.head}])
    stack.answers["GetItem"] = lambda request: next(answers)

    code, answer = verify("--table", "trail")

    assert (code, named(answer)) == (0, [])
    assert [call["ConsistentRead"] for call in stack.calls_of("Query", "audit-trail")] == [True]


def test_an_intact_table_is_read_once(trail, stack, verify):
    for number in range(5):
        trail.record(f"secret-{number}")

    verify("--table", "trail")

    calls = [operation for operation, _ in stack.calls if operation not in IDENTITY_CALLS]
    assert calls == ["Scan"] * 4


def test_a_table_that_is_denied_is_named_and_the_other_one_is_shown(trail, stack, run_on_stack):
    trail.record("orders/db")
    scan = trail.dynamodb.scan(TableName="audit-trail")["Items"]
    stack.answers["Scan"] = lambda request: (
        aws_error("AccessDeniedException")
        if request["TableName"] == "incidents"
        else {"Items": scan if request["Segment"] == 0 else []}
    )

    result = run_on_stack("verify", "--format", "json")

    answer = json.loads(result.stdout)
    assert result.exit_code == 3
    assert tables(answer)["trail"]["rows"] == 6
    [warning] = answer["warnings"]
    assert warning.startswith("The table of incidents was not verified. ")
    assert "table incidents: Scan was refused: AccessDeniedException" in warning


def test_a_stack_without_one_of_the_tables_shows_the_other(audit_stack, stack, run_on_stack):
    result = run_on_stack("verify", "--format", "json")  # an older stack, or half of one

    assert result.exit_code == 3
    assert [table["table"] for table in json.loads(result.stdout)["tables"]] == ["incidents"]
    assert "audit_trail_table_name" in json.loads(result.stdout)["warnings"][0]


def test_saved_heads_show_what_was_rewritten(trail, run_on_stack, verify, tmp_path):
    chain = trail.record("orders/db")
    trail.record("gone")
    heads = str(tmp_path / "heads.json")
    assert run_on_stack("verify", "--save-heads", heads).exit_code == 0
    assert verify("--heads", heads)[0] == 0

    del trail.chains["gone"]
    chain.remove(6)
    chain.head = build(5, LASTING, chain.arn).head
    trail.write()

    assert verify()[0] == 0  # known limit: the administrator who can write to the table made it consistent
    code, answer = verify("--heads", heads)
    assert (code, named(answer)) == (1, [("gone", "removed", 1), ("orders/db", "removed", 6)])


def test_heads_of_a_broken_chain_are_not_saved(trail, run_on_stack, tmp_path):
    chain = trail.record("orders/db")
    chain.remove(2)
    trail.write()
    heads = tmp_path / "heads.json"
    heads.write_text("earlier")

    result = run_on_stack("verify", "--save-heads", str(heads), COLUMNS="200")

    assert (result.exit_code, heads.read_text()) == (1, "earlier")
    assert "--save-heads writes nothing unless every chain is intact" in result.stdout


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "--heads must be JSON"),
        ("[]", "--heads must be a file that --save-heads wrote"),
        ('{"version": 2}', "--heads must have version 1, got 2"),
        ('{"version": 1, "tables": {"trail": {"table_name": "audit-trail", "heads": {"x": {}}}}}', "that --save-heads"),
        ('{"version": 1, "tables": {"trail": {"table_name": "another", "heads": {}}}}', "got table another"),
    ],
)
def test_a_file_that_holds_no_heads_of_this_stack_is_refused(trail, run_on_stack, tmp_path, content, message):
    heads = tmp_path / "heads.json"
    heads.write_text(content)

    result = run_on_stack("verify", "--heads", str(heads), COLUMNS="1000")

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in " ".join(result.stderr.split())


def test_heads_that_cannot_be_written_are_an_error(trail, run_on_stack, tmp_path):
    result = run_on_stack("verify", "--save-heads", str(tmp_path / "missing" / "heads.json"))

    assert result.exit_code == 3
    assert "--save-heads cannot be written" in " ".join(result.stderr.split())


def test_names_cannot_control_the_terminal(trail, run_on_stack):
    trail.chains["x"] = build(3, LASTING, f"{ARN}:a\x1b[31m\u202e-AbCdEf")
    row = trail.chains["x"].rows[trail.chains["x"].key(2)]
    row["full_event"] = {"S": "{}"}
    rehash(row)
    trail.write()

    for output_format in ("table", "json", "csv", "markdown"):
        result = run_on_stack("verify", "--format", output_format)
        assert result.exit_code == 1
        assert "\x1b" not in result.stdout
        assert "\u202e" not in result.stdout
