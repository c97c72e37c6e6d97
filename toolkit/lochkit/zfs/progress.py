"""What is told while a replication goes on, to whoever shows or records it."""

from typing import Protocol

from .offers import Received
from .plan_types import Step, Verdict
from .reports import DatasetReport

__all__ = ["SILENT", "Reporter", "Silent"]


class Reporter(Protocol):
    """Is told how a replication goes on. Its methods return at once, and raise nothing.

    Datasets are named as at the source.
    """

    def planned(self, dataset: str, target: str, verdict: Verdict) -> None:
        """What is to happen to a dataset; told of each before anything is sent, and again when a
        failure has made it look anew."""
        ...

    def started(self, dataset: str, step: Step, size: int | None) -> None:
        """A stream is about to be sent, of about so many bytes; None: not known."""
        ...

    def moved(self, dataset: str, sent: int, rate: float) -> None:
        """So many bytes of the stream have gone, at so many a second of late; a few times a
        second."""
        ...

    def received(self, dataset: str, step: Step, result: Received) -> None:
        """The receiver has confirmed a stream."""
        ...

    def retrying(self, dataset: str, why: str, seconds: float) -> None:
        """A step failed in a way that time may heal; it is tried again after so many seconds."""
        ...

    def finished(self, report: DatasetReport) -> None:
        """Nothing more happens to a dataset."""
        ...


class Silent:
    """A `Reporter` that nobody listens to; also to be derived from."""

    def planned(self, dataset: str, target: str, verdict: Verdict) -> None:
        """See `Reporter`."""

    def started(self, dataset: str, step: Step, size: int | None) -> None:
        """See `Reporter`."""

    def moved(self, dataset: str, sent: int, rate: float) -> None:
        """See `Reporter`."""

    def received(self, dataset: str, step: Step, result: Received) -> None:
        """See `Reporter`."""

    def retrying(self, dataset: str, why: str, seconds: float) -> None:
        """See `Reporter`."""

    def finished(self, report: DatasetReport) -> None:
        """See `Reporter`."""


SILENT = Silent()
