"""What every command prints about names and texts that are hard to print, in terminals and as files.

With UPDATE_GOLDEN set, a run of pytest writes the files that this compares with; CONTRIBUTING.md says what to look for.
"""

from pathlib import Path

import pytest
from rich.cells import cell_len

from .golden_files import compare
from .portfolio import COMMANDS, SENTENCES

GOLDEN = Path(__file__).parent / "golden"
TERMINALS = {"60": ("60", "utf-8"), "200": ("200", "utf-8"), "60-ascii": ("60", "ascii")}
FILES = {"md": "markdown", "csv": "csv"}


def is_link(line):
    """Whether the terminal wraps it, so that it can be copied."""
    return any(link in line for link in ("https://", ": arn:", ": /aws/"))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_prints_what_was_read_and_found_good(portfolio, name):
    for terminal, (columns, encoding) in TERMINALS.items():
        output = portfolio.run(*COMMANDS[name], COLUMNS=columns, encoding=encoding)
        compare(GOLDEN / f"{name}-{terminal}.txt", output.stdout)
        lines = output.stdout.splitlines()
        assert [line for line in lines if cell_len(line) > int(columns) and not is_link(line)] == []
        assert [line for line in lines if not line.isprintable()] == []
    styled = portfolio.run(*COMMANDS[name], FORCE_COLOR="1", TERM="xterm-256color").stdout
    # NO_COLOR leaves bold and faint.
    assert {code for part in styled.split("\x1b[")[1:] for code in part.partition("m")[0].split(";")} == {"0", "1", "2"}
    for suffix, chosen in FILES.items():
        compare(GOLDEN / f"{name}.{suffix}", portfolio.run(*COMMANDS[name], "--format", chosen).stdout)


@pytest.mark.parametrize("name", SENTENCES)
def test_a_command_that_writes_prints_sentences(portfolio, name):
    output = portfolio.run(*SENTENCES[name], encoding="ascii", is_terminal=True, COLUMNS="60", TERM="dumb")

    assert output.exit_code == 0, output.stderr
    compare(GOLDEN / f"{name}-60-ascii.txt", output.stdout)
    assert max(map(len, output.stdout.splitlines())) <= 60
