"""The archive that every function shares."""

import pulumi
import pytest

from components.lambda_code import lambda_code, list_sources


def test_an_archive_has_only_sources_in_a_fixed_order(tmp_path):
    for name in (*(f"{letter}.py" for letter in "qbwnaxdkzu"), "domain/z.py", "domain/__pycache__/z.pyc", "notes.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")

    sources = list_sources({"handlers": tmp_path, "package": tmp_path / "b.py"})

    names = ["a.py", "b.py", "d.py", "domain/z.py", "k.py", "n.py", "q.py", "u.py", "w.py", "x.py", "z.py"]
    assert [*sources] == [*(f"handlers/{name}" for name in names), "package/b.py"]


def test_the_archive_has_only_the_handlers_and_the_domain():
    archive = lambda_code()

    assert {path.rpartition("/")[0] for path in archive.assets} == {
        "handlers", "handlers/adapters", "handlers/audit", "handlers/demo", "handlers/organization",
        "handlers/remediation", "handlers/reports", "handlers/trail",
        "rotation_guard", "rotation_guard/domain", "rotation_guard/domain/audit",
        "rotation_guard/domain/dead_letters", "rotation_guard/domain/evidence",
        "rotation_guard/domain/organization", "rotation_guard/domain/remediation",
    }  # fmt: skip


def test_an_installation_without_handlers_is_reported(tmp_path):
    with pytest.raises(pulumi.RunError, match="is rotation-guard installed whole"):
        list_sources({"handlers": tmp_path})
