"""The controls that the documentation maps to reports."""

from rotation_guard.domain.audit.controls import CONTROLS, NIST, PCI, SECURITY_HUB, Relation


def test_the_controls_that_aws_relates_to_its_checks_of_rotation_are_listed():
    # "Related requirements" of SecretsManager.1 in the page of SECURITY_HUB.
    related = {(control.framework, control.identifier) for control in CONTROLS if control.related_by is Relation.AWS}

    assert related == {(NIST, "AC-2(1)"), (NIST, "AC-3(15)"), (PCI, "8.6.3"), (PCI, "8.3.9")}
    assert {control.source for control in CONTROLS if control.related_by is Relation.AWS} == {SECURITY_HUB}


def test_each_control_is_listed_once_with_what_it_asks_the_evidence_and_a_source():
    identifiers = [(control.framework, control.identifier) for control in CONTROLS]

    assert len(set(identifiers)) == len(identifiers)
    for control in CONTROLS:
        assert control.asks.endswith(".")
        assert control.evidence
        assert control.source.startswith("https://")
        assert (control.related_by is Relation.NONE) == control.evidence.startswith("none")
