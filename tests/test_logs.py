"""Logs: both formats, journald, colour, and values that would forge lines."""

import io
import json
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from hpack import Encoder

from lochkit import logs
from lochkit.logs import JsonFormatter, LogOptions, TextFormatter

PLAIN = TextFormatter(timestamps=False)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _root_logger_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def record(message: str = "lost %s", *args: object, **facts: object) -> logging.LogRecord:
    made = logging.LogRecord("lochkit.x", logging.WARNING, __file__, 1, message, args, None)
    vars(made).update(facts)
    return made


def failed() -> logging.LogRecord:
    try:
        raise OSError("no route")
    except OSError as exc:
        made = record("lost")
        made.exc_info = (type(exc), exc, exc.__traceback__)
        return made


def test_text_has_the_facts_as_a_tail() -> None:
    line = PLAIN.format(record("lost %s", "etcd", revision=7, key=b"/a b", note="", ok=True))
    assert line == 'warning lochkit.x: lost etcd revision=7 key="/a b" note="" ok=True'


def test_text_begins_with_the_time() -> None:
    line = TextFormatter().format(record("lost"))
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z warning lochkit\.x: lost$", line)


@pytest.mark.parametrize("formatter", [PLAIN, JsonFormatter()])
def test_nothing_forges_a_line_or_drives_a_terminal(formatter: logging.Formatter) -> None:
    nasty = "a\nerror lochkit: forged\x1b[2J\x9b31m\r\u2028"
    line = formatter.format(record("got %s", nasty, key=nasty, blob=nasty.encode()))
    assert line.isprintable()
    assert len(line.splitlines()) == 1


def test_text_carries_the_exception_below() -> None:
    first, *rest = PLAIN.format(failed()).split("\n")
    assert first == "warning lochkit.x: lost"
    assert rest[0].startswith("Traceback")
    assert rest[-1] == "OSError: no route"


def test_json_is_one_object_on_one_line() -> None:
    line = JsonFormatter().format(record("lost %s", "etcd", revision=7, key=b"/\xff"))
    fields = json.loads(line)
    assert fields.pop("time").endswith("Z")
    assert fields == {
        "level": "warning",
        "logger": "lochkit.x",
        "message": "lost etcd",
        "revision": 7,
        "key": "/\\xff",
    }


def test_json_carries_the_exception() -> None:
    fields = json.loads(JsonFormatter(timestamps=False).format(failed()))
    assert fields["exception"].endswith("OSError: no route")
    assert "time" not in fields


def test_a_fact_can_not_replace_a_field() -> None:
    assert json.loads(JsonFormatter().format(record("lost", level="fine")))["level"] == "warning"


def written(stream: io.StringIO, environ: dict[str, str], **options: Any) -> str:
    logs.setup(LogOptions(**options), stream=stream, environ=environ)
    log = logging.getLogger("lochkit.x")
    log.debug("small")
    log.error("large")
    return stream.getvalue()


def test_levels() -> None:
    assert "small" not in written(io.StringIO(), {})
    assert "small" in written(io.StringIO(), {}, level="debug")


@pytest.mark.parametrize(
    ("stream", "environ", "coloured"),
    [
        (Terminal(), {"TERM": "xterm"}, True),
        (Terminal(), {"TERM": "dumb"}, False),
        (Terminal(), {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "xterm", "NO_COLOR": ""}, True),
        (io.StringIO(), {"TERM": "xterm"}, False),
    ],
)
def test_colour_only_on_a_terminal_that_wants_it(
    stream: io.StringIO, environ: dict[str, str], coloured: bool
) -> None:
    assert ("\x1b[31merror\x1b[0m" in written(stream, environ)) is coloured


@pytest.mark.parametrize("format", ["text", "json"])
@pytest.mark.parametrize("shift", [0, 1])
def test_under_journald_there_are_no_timestamps(tmp_path: Path, format: str, shift: int) -> None:
    with (tmp_path / "journal").open("w+") as stream:
        status = os.fstat(stream.fileno())
        named = f"{status.st_dev}:{status.st_ino + shift}"  # shifted: another service's journal
        options = LogOptions(format="json" if format == "json" else "text")
        logs.setup(options, stream=stream, environ={"JOURNAL_STREAM": named})
        logging.getLogger("lochkit.x").error("large")
        stream.seek(0)
        line = stream.read()
    assert bool(re.search(r"\d\d:\d\d:\d\d", line)) is bool(shift)
    assert line.startswith("<3>") is (format == "text" and not shift)


def test_every_line_of_a_traceback_has_the_priority() -> None:
    lines = TextFormatter(timestamps=False, priorities=True).format(failed()).splitlines()
    assert len(lines) > 2
    assert all(line.startswith("<4>") for line in lines)


def test_setting_up_twice_logs_once() -> None:
    stream = io.StringIO()
    logs.setup(stream=stream, environ={})
    assert written(stream, {}).count("large") == 1


@pytest.mark.parametrize(("chosen", "expected"), [(None, "WARNING"), ("debug", "DEBUG")])
def test_a_default_level_gives_way_to_a_chosen_one(
    chosen: Literal["debug"] | None, expected: str
) -> None:
    logs.setup(logs.LogOptions(level=chosen))
    logs.default_level("warning")
    assert logging.getLevelName(logging.getLogger().level) == expected
    logs.setup()


def test_no_token_of_a_login_is_logged() -> None:
    stream = io.StringIO()
    logs.setup(LogOptions(level="debug"), stream=stream, environ={})
    Encoder().encode([("token", "PZjoCBODjKJLLOOa.37")])
    logging.getLogger("lochkit").debug("said")
    assert stream.getvalue().count("\n") == 1
