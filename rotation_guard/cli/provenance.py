"""What a report is based on, and who made it: the same facts for every report and every format."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from rotation_guard.domain.audit.audit_settings import describe_settings
from rotation_guard.domain.timestamps import to_iso

from .aws import AwsSession
from .deployment import Deployment
from .errors import CommandError
from .identity import Identity, begin_identity, product_version
from .parsing import parse_timestamp
from .report import JSON_VERSION, Records, Report
from .secret_answer import Part, SecretAnswer

COLUMNS = ("account_id", "account_alias", "region", "product_version", "caller_arn", "generated_at")
"""The last columns of a report in CSV that is not about secrets; `PROVENANCE_COLUMNS` are those of one that is."""


class Provenance:
    """Who reads which account: read in the background while a command reads what it reports."""

    def __init__(self, session: AwsSession, region: str | None = None, subject: Identity | None = None) -> None:
        """`subject` is the account and Region of what is reported, if they are not those of the caller."""
        self._identity = begin_identity(session)
        self._region, self._subject = region, subject

    @property
    def identity(self) -> Identity:
        """The account, the Region and the caller; what cannot be read is unknown, and fails no command."""
        try:
            known = self._identity.result()
        except CommandError:
            known = Identity()
        if self._subject is not None:
            return replace(self._subject, caller_arn=known.caller_arn)
        return replace(known, region=known.region or self._region)

    def list_facts(self, generated_at: datetime) -> list[tuple[str, str]]:
        """A label and its text, for people."""
        identity = self.identity
        return [("account", identity.describe()), ("generated", _describe_generation(generated_at, identity))]

    def attach(self, report: Report) -> Report:
        """The report with these facts in each of its formats; when it was generated is in its JSON."""
        identity, body = self.identity, report.body
        cells = [
            identity.account_id,
            identity.account_alias,
            identity.region,
            product_version(),
            identity.caller_arn,
            body["generated_at"],
        ]
        head = {name: body[name] for name in ("version", "generated_at")}
        facts = {"product_version": product_version(), "source": body["source"], "identity": identity.to_json()}
        return replace(
            report,
            provenance=self.list_facts(parse_timestamp(body["generated_at"])),
            body={**head, **facts, **{name: value for name, value in body.items() if name not in head | facts}},
            csv=Records((*report.csv.columns, *COLUMNS), ([*row, *cells] for row in report.csv.rows)),
        )


def begin_provenance(deployment: Deployment) -> Provenance:
    """Begin to read who reports on this deployment."""
    return Provenance(deployment.session, next(iter(deployment.regions), None))


def describe_subject(answer: SecretAnswer) -> str:
    """What is reported."""
    return f"{len(answer.parts)} accounts and Regions" if answer.has_several_parts else answer.parts[0].description


def describe_source(answer: SecretAnswer) -> str:
    """What is reported, as of when, and based on which run."""
    first = answer.parts[0]
    text = f"{describe_subject(answer)}, as of {answer.at:%Y-%m-%d %H:%M:%S} UTC"
    if answer.since is not None:
        text += f", changes since {answer.since:%Y-%m-%d %H:%M:%S} UTC"
    if first.run is not None and not answer.has_several_parts:
        text += f"; based on the run {_describe_run(first.run)}"
    return f"{text}."


def _describe_run(run: Mapping[str, Any]) -> str:
    return f"{run['run_id']}, which checked {run['checked']}"


def list_provenance(answer: SecretAnswer) -> list[tuple[str, str]]:
    """The facts about each part, and who generated the report: a label and its text."""
    facts = [pair for part in answer.parts for pair in _describe_part(part, answer)]
    caller = next((part.identity.caller_arn for part in answer.parts if part.identity.caller_arn), None)
    return [*facts, ("generated", _describe_generation(answer.generated_at, Identity(caller_arn=caller)))]


def _describe_generation(at: datetime, identity: Identity) -> str:
    by = f" by {identity.caller_arn}" if identity.caller_arn else ""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC{by}, rotation-guard {product_version() or 'of a checkout'}"


def _describe_part(part: Part, answer: SecretAnswer) -> Iterator[tuple[str, str]]:
    """What the answer is based on: a label and its text."""
    label = f"{part.source['description']}: " if answer.has_several_parts else ""
    if label and part.run is not None:
        yield f"{label}run", _describe_run(part.run)
    if part.source["kind"] != "file" or part.identity.account_id:
        yield f"{label}account", part.identity.describe()
    if part.unreadable and part.tally is None:
        return
    yield f"{label}settings", describe_settings(part.settings)


def build_head(answer: SecretAnswer) -> dict[str, Any]:
    """The fields of the JSON that every report on secrets has."""
    first, tally = answer.parts[0], answer.tally
    several = {"kind": "several", "description": f"{len(answer.parts)} accounts and Regions"}
    return {
        "version": JSON_VERSION,
        "generated_at": to_iso(answer.generated_at),
        "product_version": product_version(),
        "as_of": to_iso(answer.at),
        **({"since": to_iso(answer.since)} if answer.since else {}),
        "headline": answer.headline or None,
        "tally": tally.to_json() if tally else None,
        "source": several if answer.has_several_parts else dict(first.source),
        "identity": None if answer.has_several_parts else first.identity.to_json(),
        "run": None if answer.has_several_parts else first.run,
        "warnings": answer.warning_sentences,
        "unreadable": answer.unreadable,
        "settings": {} if answer.has_several_parts else dict(first.settings),
        "parts": [_part_to_json(part) for part in answer.parts],
    }


def _part_to_json(part: Part) -> dict[str, Any]:
    return {
        "source": dict(part.source),
        "identity": part.identity.to_json(),
        "settings": dict(part.settings),
        "run": part.run,
        "last_complete_at": to_iso(part.last_complete) if part.last_complete else None,
        "tally": part.tally.to_json() if part.tally else None,
        "warnings": list(part.warnings),
        "unreadable": list(part.unreadable),
    }


def provenance_cells(part: Part, answer: SecretAnswer) -> list[object]:
    """The cells of PROVENANCE_COLUMNS."""
    return [
        part.identity.account_alias,
        part.run["run_id"] if part.run else None,
        describe_settings(part.settings),
        product_version(),
        part.identity.caller_arn,
        to_iso(answer.generated_at),
    ]
