"""`--watch`: a report that is repeated until it is interrupted."""

import pytest
import typer

from rotation_guard.cli import watching
from rotation_guard.cli.errors import Unreachable
from rotation_guard.cli.report import Records, Report
from rotation_guard.cli.terminal import PLAIN, Column, Row


def report(*rows, summary="All.", title=""):
    empty = Records((), ())
    table = [Row(name, [(state, PLAIN)]) for name, state in rows]
    return Report("Head.", (Column("NAME"), Column("STATE")), table, summary, {}, empty, empty, title=title)


@pytest.fixture
def watch(capsys):
    """Watches these reports, of which an exception is one that fails; returns both outputs and the waits."""

    def watch(*reports, is_terminal=False):
        left, waits = [*reports], []

        def build():
            following = left.pop(0)
            if isinstance(following, Exception):
                raise following
            return following

        def sleep(seconds):
            waits.append(seconds)
            if not left:
                raise KeyboardInterrupt

        with pytest.raises(typer.Exit) as ended:
            watching.watch(build, sleep=sleep, is_terminal=is_terminal)
        assert ended.value.exit_code == 130
        output = capsys.readouterr()
        return output.out, output.err, waits

    return watch


def test_a_terminal_is_redrawn_with_every_report(watch):
    out, _, waits = watch(report(("a", "open")), report(("a", "closed")), is_terminal=True)

    first, second = out.removeprefix("\x1b[H\x1b[2J").split("\x1b[H\x1b[2J")
    assert ("a    open" in first, "a    closed" in second) == (True, True)
    assert waits == [5, 5]


def test_elsewhere_only_changes_are_appended(watch):
    out, _, _ = watch(
        report(("a", "open"), ("b", "open")),
        report(("a", "open"), ("b", "open")),
        report(("a", "closed"), ("c", "open"), summary="Changed."),
    )

    changes = [line.split(" UTC  ")[1] for line in out.splitlines() if " UTC  " in line]
    assert changes == ["a  closed", "c  open", "b: not listed anymore", "Changed."]
    assert out.count("Head.") == 1
    assert "\x1b" not in out


def test_a_report_that_fails_later_is_named_and_tried_again(watch):
    out, err, waits = watch(report(("a", "open")), Unreachable("No answer."), report(("a", "closed")))

    assert err == "No answer.\n"
    assert "a  closed" in out
    assert len(waits) == 3


def test_a_first_report_that_fails_ends_it():
    def build():
        raise Unreachable("No answer.")

    with pytest.raises(Unreachable):
        watching.watch(build, sleep=lambda _: None)


@pytest.mark.parametrize("words", [("list",), ("show", "orders/db")])
def test_incidents_are_watched(stack, run_on_stack, monkeypatch, words):
    stack.incident("orders/db")

    def sleep(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(watching.watch, "__kwdefaults__", {"sleep": sleep, "is_terminal": False})

    result = run_on_stack("incidents", *words, "--watch")

    assert result.exit_code == 130
    assert "orders/db" in result.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--format", "json"), "--watch needs --format table, got json."),
        (("--exit-code",), "--watch does not end by itself, so --exit-code does not apply"),
    ],
)
def test_what_cannot_be_watched_is_refused(stack, run_on_stack, options, message):
    result = run_on_stack("incidents", "list", "--watch", *options)

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
