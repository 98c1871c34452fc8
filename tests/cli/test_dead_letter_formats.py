"""What the commands for dead letters print: in narrow and wide terminals, and as files.

With UPDATE_GOLDEN set, a run of pytest writes the files that this compares with.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rotation_guard.cli import provenance
from rotation_guard.cli.commands import dead_letters as commands

from .dead_letter_stack import recorded_message
from .golden_files import compare

GOLDEN = Path(__file__).parent / "golden"
NOW = datetime(2026, 3, 1, 18, 0, tzinfo=UTC)
CONTENT = {
    "undelivered-events": ("rule-no-permissions", "rule-throttled", "rule-key-denied"),
    "unrecorded-events": ("received-too-often",),
    "unstarted-remediations": ("function-unhandled",),
    "failed-audits": ("schedule",),
    "undelivered-notices": (),
}
SHOWN = recorded_message("rule-throttled")["MessageId"]


@pytest.fixture
def render(dead_letters, run, monkeypatch):
    """Runs a command on queues with recorded messages; returns what it prints."""
    monkeypatch.setattr(commands, "utc_now", lambda: NOW)
    monkeypatch.setattr(provenance, "product_version", lambda: "1.2.3")

    def messages_of(request):
        name = next(name for name, url in dead_letters.urls.items() if url == request["QueueUrl"])
        return [recorded_message(message) for message in CONTENT[name]]

    dead_letters.answers["ReceiveMessage"] = lambda request: {"Messages": messages_of(request)}
    dead_letters.answers["ChangeMessageVisibilityBatch"] = lambda _: {"Successful": [], "Failed": []}
    dead_letters.answers["GetQueueAttributes"] = lambda request: {
        "Attributes": {
            "ApproximateNumberOfMessages": str(len(messages_of(request))),
            "ApproximateNumberOfMessagesNotVisible": "0",
            "ApproximateNumberOfMessagesDelayed": "0",
            "MessageRetentionPeriod": "1209600",
        }
    }

    def render(*words, **environment):
        outputs = dead_letters.outputs.read_text()
        result = run("dead-letters", *words, "--stack-outputs", "-", stdin=outputs, **environment)
        assert result.exit_code == 0, result.stderr
        return result.stdout_bytes.decode()

    return render


@pytest.mark.parametrize("columns", ["60", "200"])
@pytest.mark.parametrize("words", [("list",), ("show", SHOWN), ("explain",), ("redrive",)], ids=lambda words: words[0])
def test_a_terminal_shows_all_that_fits_its_width(render, words, columns):
    text = render(*words, COLUMNS=columns)

    compare(GOLDEN / f"dead-letters-{words[0]}-{columns}.txt", text)
    links = ("https://", "Secret: ", "arn:")
    assert all(len(line) <= int(columns) for line in text.splitlines() if not any(link in line for link in links))


@pytest.mark.parametrize(("chosen", "suffix"), [("json", "json"), ("csv", "csv"), ("markdown", "md")])
@pytest.mark.parametrize("words", [("list",), ("show", SHOWN), ("explain",), ("redrive",)], ids=lambda words: words[0])
def test_a_file_has_all_that_is_known(render, words, chosen, suffix):
    compare(GOLDEN / f"dead-letters-{words[0]}.{suffix}", render(*words, "--format", chosen))


def test_the_document_names_every_field(render):
    text = (Path(__file__).parents[2] / "docs" / "dead-letters.md").read_text(encoding="utf-8")

    for words in (("list",), ("show", SHOWN), ("explain",), ("redrive",)):
        body = json.loads(render(*words, "--format", "json"))
        rows = [row for value in body.values() if isinstance(value, list) for row in value if isinstance(row, dict)]
        for name in {*body, *body.get("message", {})}.union(*rows):
            assert f"`{name}`" in text, name
