"""Reads pytest's ``--junitxml``: what became of tests that ran elsewhere."""

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Outcome", "read_outcomes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One test's end.

    Attributes:
        name: module and test, with dots between.
        seconds: how long it took there, fixtures included.
        problem: why it failed, or why its fixtures did; empty when they did not.
        skipped: why it was skipped; empty when it was not.
    """

    name: str
    seconds: float
    problem: str = ""
    skipped: str = ""


def read_outcomes(path: Path) -> list[Outcome]:
    """Return the tests of a report, in the order in which they ran.

    Raises:
        ValueError: there is no report, or half of one, as when the tests' process was killed.
    """
    try:
        root = ET.parse(path).getroot()
    except (OSError, ET.ParseError) as error:
        raise ValueError(f"{path.name} cannot be read: {error}") from None
    return [_outcome(case) for case in root.iter("testcase")]


def _outcome(case: ET.Element) -> Outcome:
    # A test that passes and whose fixture then fails has one element for both: an error counts.
    problems = [*case.iter("failure"), *case.iter("error")]
    skipped = case.find("skipped")
    return Outcome(
        name=".".join(filter(None, (case.get("classname"), case.get("name")))),
        seconds=float(case.get("time", 0)),
        problem="\n".join(_text(problem) for problem in problems),
        skipped=_text(skipped) if skipped is not None else "",
    )


def _text(element: ET.Element) -> str:
    return element.text or element.get("message") or "no reason given"
