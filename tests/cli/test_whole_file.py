"""Files that commands write: whole or not at all, and wherever a user may want them."""

import errno
import os
import subprocess
import sys

import pytest

from rotation_guard.cli import whole_file
from rotation_guard.cli.whole_file import write_whole_file
from tests.paths import ROOT

WRITE = """
from pathlib import Path
from rotation_guard.cli.whole_file import write_whole_file
write_whole_file(Path("/dev/stdout"), "new")
"""


def test_a_pipe_behind_a_name_is_written_to(tmp_path):
    done = subprocess.run([sys.executable, "-c", WRITE], cwd=ROOT, capture_output=True, check=True)

    assert done.stdout == b"new"


def test_a_file_behind_the_name_of_a_stream_keeps_what_it_has(tmp_path):
    path = tmp_path / "log"
    path.write_text("old, ")

    with path.open("ab") as stdout:
        subprocess.run([sys.executable, "-c", WRITE], cwd=ROOT, stdout=stdout, check=True)

    assert path.read_text() == "old, new"


@pytest.mark.parametrize("code", [errno.EBUSY, errno.EACCES, errno.EXDEV])
def test_a_file_that_cannot_be_replaced_is_written_to(tmp_path, monkeypatch, code):
    def refuse(self, target):
        raise OSError(code, os.strerror(code))

    path = tmp_path / "mounted"
    path.write_text("old")
    monkeypatch.setattr(whole_file.Path, "replace", refuse)

    write_whole_file(path, "new")

    assert path.read_text() == "new"
    assert [each.name for each in tmp_path.iterdir()] == ["mounted"]


def test_what_breaks_off_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    def interrupt(self, target):
        raise KeyboardInterrupt

    path = tmp_path / "report"
    path.write_text("old")
    monkeypatch.setattr(whole_file.Path, "replace", interrupt)

    with pytest.raises(KeyboardInterrupt):
        write_whole_file(path, "new")

    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["report"]


def test_a_loop_of_links_has_no_traceback(run, list_file, tmp_path):
    loop = tmp_path / "loop"
    loop.symlink_to(loop)

    result = run("scan", "--from", list_file(), "--format", "html", "--output", str(loop))

    assert result.exit_code in (0, 2)
    assert loop.is_symlink() is bool(result.exit_code)
