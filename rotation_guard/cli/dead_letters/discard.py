"""Deletes dead letters for good, each once it is saved."""

import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rotation_guard.domain.control_characters import escape_control_characters_in_json
from rotation_guard.domain.dead_letters.dead_letter import DeadLetter

from ..deployment import Deployment
from ..errors import Unreachable, UsageError
from .listing import to_json
from .outcomes import Outcome, Outcomes, Result
from .processing import process
from .reception import Reception
from .selection import Selection


class SaveFile:
    """A new file with one message a line, as JSON: it is on the disk before the message is deleted."""

    def __init__(self, path: str, record: Mapping[str, str]) -> None:
        """Create the file, which only its owner may read. Raises UsageError if it exists or cannot be created."""
        self._record, self._path = record, path
        self._is_empty = True
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise UsageError(f"--save must be a new file, got {path}, which exists. Nothing was deleted.") from None
        except OSError as error:
            raise UsageError(
                f"--save must be a file that can be created, got {path}: {error.strerror}. Nothing was deleted."
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._file)
        if self._is_empty:
            Path(self._path).unlink()

    def save(self, letter: DeadLetter) -> None:
        """Write a message. Raises OSError."""
        fields: dict[str, Any] = {
            **to_json(letter),
            "attributes": dict(letter.attributes),
            "body": letter.body,
            **self._record,
        }
        self._is_empty = False
        line = memoryview(f"{escape_control_characters_in_json(json.dumps(fields, ensure_ascii=False))}\n".encode())
        while line:
            line = line[os.write(self._file, line) :]
        os.fsync(self._file)


def default_save_path(now: datetime) -> str:
    """The file in the current directory to which a discard of this time is saved."""
    return str(Path(f"dead-letters-{now:%Y%m%dT%H%M%SZ}.jsonl"))


def discard(
    deployment: Deployment, selection: Selection, now: datetime, *, is_dry_run: bool, file: SaveFile | None
) -> Outcomes:
    """Discard the messages that are selected, and save them to this file; in a dry run, say what would be done.

    Raises CommandError.
    """
    outcomes = Outcomes(is_dry_run)

    def discard_message(letter: DeadLetter, reception: Reception) -> Outcome:
        if is_dry_run:
            return Outcome.of(letter, Result.WOULD_DISCARD)
        try:
            if file is not None:
                file.save(letter)
            reception.delete(letter)
        except OSError as error:
            outcomes.is_incomplete = True
            return Outcome.of(letter, Result.KEPT, reason=f"It could not be saved: {error.strerror}.")
        except Unreachable as error:
            outcomes.is_incomplete = True
            return Outcome.of(letter, Result.KEPT, reason=str(error))
        return Outcome.of(letter, Result.DISCARDED)

    process(deployment, selection, now, outcomes, discard_message)
    return outcomes
