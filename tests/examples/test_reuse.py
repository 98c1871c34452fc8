"""The page about reuse: its program deploys, and every example is listed."""

import re

import pytest

from local.mocks import recording
from tests.paths import ROOT

PAGE = (ROOT / "docs" / "reuse.md").read_text(encoding="utf-8")
EXAMPLES = ROOT / "examples"


def test_the_program_in_python_deploys():
    [snippet] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    # In a checkout, the package of the components lies at the top.
    program = compile(snippet.replace("rotation_guard.components", "components"), "reuse.md", "exec")

    recorded = recording.run(lambda: exec(program, {}), config={"aws:region": "eu-west-1"})  # noqa: S102 - it is ours

    [table] = [entry for entry in recorded.of_type("aws:dynamodb/table:Table") if entry.name == "orders-status"]
    [writer] = recorded.of_type("aws:lambda/function:Function")
    [queue] = [entry for entry in recorded.of_type("aws:sqs/queue:Queue") if entry.name == "orders-trail-events"]
    assert writer.inputs["environment"]["variables"]["STATUS_TABLE_NAME"] == table.inputs.get(
        "name", table.outputs["name"]
    )
    assert recorded.outputs == {"audit_queue_arn": queue.arn}


@pytest.mark.parametrize("page", ["docs/reuse.md", "examples/README.md"])
def test_a_page_lists_every_example_in_another_language(page):
    programs = sorted(path.parent.name for path in EXAMPLES.glob("*/Pulumi.yaml"))
    text = (ROOT / page).read_text(encoding="utf-8")

    assert len(programs) >= 3
    assert [name for name in programs if f"{name}/" not in text] == []


def test_the_index_lists_every_folder_of_examples():
    folders = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())
    linked = re.findall(r"^\*\*\[([\w-]+)\]", (EXAMPLES / "README.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert sorted(linked) == folders
