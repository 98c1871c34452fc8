"""Terminals and line-based tools read the log: no name, tag or error may inject control characters."""

import importlib
import io
import json
import logging
import pkgutil

import pytest
from aws_lambda_powertools import Logger

import handlers
from rotation_guard.domain.control_characters import serialize_log_record

FORBIDDEN = {*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), *"\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069"}
NASTY = "a\x1b[2J\x7f\x85\u2028\u202e\ud800b"


def find_loggers():
    """The logger of each module that has one."""
    modules = [importlib.import_module(module.name) for module in pkgutil.walk_packages(handlers.__path__, "handlers.")]
    return {module.__name__: vars(module)["logger"] for module in modules if "logger" in vars(module)}


def test_every_function_logs_without_control_characters():
    loggers_by_module = find_loggers()

    assert len(loggers_by_module) > 10
    for name, logger in loggers_by_module.items():
        assert logger.registered_formatter.json_serializer is serialize_log_record, name


def test_a_log_line_has_no_control_characters_and_loses_no_text(monkeypatch):
    stream = io.StringIO()
    # pytest sends captured output to another process, which accepts no lone surrogates.
    monkeypatch.setattr(logging.getLogger("test"), "propagate", False)
    handler = logging.StreamHandler(stream)
    logger = Logger(service="test", logger_handler=handler, json_serializer=serialize_log_record)
    try:
        raise ValueError(NASTY)
    except ValueError:
        logger.exception(NASTY, extra={"secret": NASTY, "odd": {1, 2}})

    [line] = stream.getvalue().split("\n")[:-1]
    assert not set(line) & FORBIDDEN
    assert not any("\ud800" <= character <= "\udfff" for character in line)
    record = json.loads(line)
    assert (record["message"], record["secret"]) == (NASTY, NASTY)
    assert "ValueError" in record["exception"]


@pytest.mark.parametrize("text", ["schlüssel-日本語-🔑", "a\nb\tc"])
def test_a_log_line_is_json_with_the_same_value(text):
    line = serialize_log_record({"message": text})

    assert json.loads(line) == {"message": text}
    assert "\n" not in line
