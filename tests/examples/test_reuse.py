"""The page about reuse: its program deploys, and every example is listed."""

import re

import yaml

from local.mocks import recording
from tests.paths import ROOT

PAGE = (ROOT / "docs" / "reuse.md").read_text(encoding="utf-8")
EXAMPLES = ROOT / "examples"


def run_snippets():
    """Deploys the page's programs in Python, one after another."""
    # In a checkout, the package of the components lies at the top.
    snippets = [
        compile(text.replace("rotation_guard.components", "components"), "reuse.md", "exec")
        for text in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    ]
    return [
        recording.run(lambda program=program: exec(program, {}), config={"aws:region": "eu-west-1"})  # noqa: S102 - ours
        for program in snippets
    ]


def test_the_programs_in_python_deploy():
    parts, existing = run_snippets()

    [table] = [entry for entry in parts.of_type("aws:dynamodb/table:Table") if entry.name == "orders-status"]
    [writer] = parts.of_type("aws:lambda/function:Function")
    [queue] = [entry for entry in parts.of_type("aws:sqs/queue:Queue") if entry.name == "orders-trail-events"]
    assert writer.inputs["environment"]["variables"]["STATUS_TABLE_NAME"] == table.inputs.get(
        "name", table.outputs["name"]
    )
    assert parts.outputs == {"audit_queue_arn": queue.arn}
    tables = {entry.name for entry in existing.of_type("aws:dynamodb/table:Table")}
    topics = {entry.name for entry in existing.of_type("aws:sns/topic:Topic")}
    assert "payments-repair-incidents" in tables
    assert "payments-trail-record" not in tables
    assert topics == {"payments-failures", "payments-remediation"}


def test_the_page_lists_every_example_in_another_language():
    projects = {
        path.parent.name: yaml.safe_load(path.read_text())["runtime"] for path in EXAMPLES.glob("*/Pulumi.yaml")
    }
    others = [name for name, runtime in projects.items() if "python" not in str(runtime)]
    text = (ROOT / "docs" / "reuse.md").read_text(encoding="utf-8")

    assert len(others) >= 3
    assert [name for name in others if f"{name}/" not in text] == []
