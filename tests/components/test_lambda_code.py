"""The archive that every function shares."""

import pulumi
import pytest

from components.lambda_code import lambda_code


def test_the_archive_holds_sources_alone_in_a_fixed_order(tmp_path):
    for name in (*(f"{letter}.py" for letter in "qbwnaxdkzu"), "domain/z.py", "domain/__pycache__/z.pyc", "notes.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")

    archive = lambda_code(tmp_path)

    names = ["a.py", "b.py", "d.py", "domain/z.py", "k.py", "n.py", "q.py", "u.py", "w.py", "x.py", "z.py"]
    assert [*archive.assets] == [f"handlers/{name}" for name in names]


def test_an_installation_without_handlers_says_so(tmp_path):
    with pytest.raises(pulumi.RunError, match="is rotation-guard installed whole"):
        lambda_code(tmp_path)
