"""The servers' own checkers, run on staged files as part of the operator's whole configuration."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, Protocol

import trio

from .check_run import Machine, Outcome, Sources, Verdict, find_server, judge, written
from .kea_live import KeaServer
from .kea_socket import KeaError, KeaRefused
from .staging import Dnsmasq, Plan, plan_dnsmasq, plan_isc

__all__ = [
    "AllCheckers",
    "Checker",
    "DnsmasqChecker",
    "IscChecker",
    "KeaChecker",
    "Outcome",
    "Verdict",
    "find_server",
]

CHECK_SECONDS: Final = 60.0
# dnsmasq compares every line with all before it: 10,000 lines take 0.13 s, and 50,000 take 4 s.
DNSMASQ_LINES: Final = 5000


class Checker(Protocol):
    """Judges a staged set before it is installed."""

    async def check(self, staged: Mapping[str, Path], lines: Sequence[bytes] = ()) -> Verdict:
        """Judge a set.

        Args:
            staged: path of every file of the set, by name; all in one directory, in which copies
                are made and removed again. A server that is confined (AppArmor) may read only
                below its own configuration directory, so that no other place would do.
            lines: configuration lines to be judged as well, without line ends; only dnsmasq's
                checker has a use for them.

        Raises:
            InstallError: the copies can not be written now.
            ConfigError: they never can.
        """
        ...


class IscChecker:
    """``dhcpd -4 -t``.

    Args:
        main_config: the operator's dhcpd.conf; None to check our files by themselves. One that is
            not there is as none.
        targets: where each of our files is going to be, by name.
        timeout: seconds for a check.
        binary: the server.
    """

    def __init__(
        self,
        main_config: Path | None,
        targets: Mapping[str, Path],
        *,
        timeout: float = CHECK_SECONDS,
        binary: str = "dhcpd",
    ) -> None:
        self._main = main_config
        self._targets = dict(targets)
        self._timeout = timeout
        self._binary = binary

    async def check(self, staged: Mapping[str, Path], lines: Sequence[bytes] = ()) -> Verdict:
        """See `Checker`."""
        ours = _paths(staged)
        main = _present(self._main)

        def plan(directory: str) -> Plan:
            return plan_isc(main, ours, directory, Machine(self._targets))

        async with written(_directory(staged), plan) as made:
            argv = [self._binary, "-4", "-t", "-cf", made.root]
            verdict = await judge(argv, _sources(staged, made), timeout=self._timeout)
        if verdict.outcome is Outcome.ACCEPTED and main is not None:
            missing = [self._targets.get(name, name) for name in ours if name not in made.reached]
            return Verdict(outcome=Outcome.ACCEPTED, text=_not_included(main, missing))
        return verdict


def _not_included(main: str, missing: Sequence[object]) -> str:
    if not missing:
        return ""
    lines = " ".join(sorted(f'include "{path}";' for path in missing))
    return f"{main} does not include our files, so that dhcpd does not read them; add: {lines}"


class DnsmasqChecker:
    """``dnsmasq --test``, which reads no file of hosts or options: it is given their lines.

    Args:
        main_config: the operator's dnsmasq.conf; None to check ours by itself.
        targets: where each of our files is going to be, by name.
        config: name of our configuration file in the set.
        timeout: seconds for all of a check.
        binary: the server.
    """

    def __init__(
        self,
        main_config: Path | None,
        targets: Mapping[str, Path],
        *,
        config: str = "dnsmasq.conf",
        timeout: float = CHECK_SECONDS,
        binary: str = "dnsmasq",
    ) -> None:
        self._main = main_config
        self._targets = dict(targets)
        self._config = config
        self._timeout = timeout
        self._binary = binary

    async def check(self, staged: Mapping[str, Path], lines: Sequence[bytes] = ()) -> Verdict:
        """See `Checker`."""
        deadline = trio.current_time() + self._timeout
        directory, main = _directory(staged), _present(self._main)
        verdict = await self._run(main, directory, staged, lines[:DNSMASQ_LINES], deadline)
        for some in _batches(lines[DNSMASQ_LINES:]):
            if verdict.outcome is not Outcome.ACCEPTED:
                break
            verdict = await self._run(None, directory, {}, some, deadline)
        return verdict

    async def _run(
        self,
        main: str | None,
        directory: Path,
        staged: Mapping[str, Path],
        lines: Sequence[bytes],
        deadline: float,
    ) -> Verdict:
        def plan(beside: str) -> Plan:
            ours = Dnsmasq(self._config, lines)
            return plan_dnsmasq(main, _paths(staged), beside, Machine(self._targets), ours)

        async with written(directory, plan) as made:
            argv = [self._binary, "--test", "-C", made.root]
            left = max(0.0, deadline - trio.current_time())
            return await judge(argv, _sources(staged, made, lines), timeout=left)


def _batches(lines: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for begin in range(0, len(lines), DNSMASQ_LINES):
        yield lines[begin : begin + DNSMASQ_LINES]


class KeaChecker:
    """``kea-dhcp4 -t`` or ``kea-dhcp6 -t``; a running server where there is no such binary.

    Args:
        version: of IP.
        config: name of its configuration file in the set; None is Kea's own.
        timeout: seconds for a check.
        binary: the server; None is Kea's own.
        server: one that runs; None when it is not known how to reach it.
    """

    def __init__(
        self,
        version: Literal[4, 6] = 4,
        *,
        config: str | None = None,
        timeout: float = CHECK_SECONDS,
        binary: str | None = None,
        server: KeaServer | None = None,
    ) -> None:
        self._config = config or f"kea-dhcp{version}.conf"
        self._timeout = timeout
        self._binary = binary or f"kea-dhcp{version}"
        self._server = server

    async def check(self, staged: Mapping[str, Path], lines: Sequence[bytes] = ()) -> Verdict:
        """See `Checker`."""
        path = staged[self._config]
        verdict = await judge(
            [self._binary, "-t", str(path)],
            Sources(staged={self._config: path}),
            timeout=self._timeout,
            # It must not wait for, or be refused, the lock by which running servers share a log.
            environment={"KEA_LOCKFILE_DIR": "none", "KEA_LOGGER_DESTINATION": "stdout"},
        )
        if self._server is None or verdict.outcome is Outcome.REJECTED:
            return verdict
        if verdict.outcome is Outcome.ACCEPTED:
            self._server.accept(path)
            return verdict
        try:
            await self._server.test(path)
        except KeaRefused as exc:
            return Verdict(outcome=Outcome.REJECTED, text=str(exc))
        except KeaError as exc:
            return Verdict(outcome=Outcome.SKIPPED, text=f"{verdict.text}; {exc}")
        return Verdict(outcome=Outcome.ACCEPTED)


class AllCheckers:
    """Several checkers for one set: what one of them rejects is rejected.

    Args:
        checkers: in the order in which they are asked.
    """

    def __init__(self, checkers: Sequence[Checker]) -> None:
        self._checkers = tuple(checkers)

    async def check(self, staged: Mapping[str, Path], lines: Sequence[bytes] = ()) -> Verdict:
        """See `Checker`; it is skipped when one of them is, and none rejects."""
        verdicts = []
        for checker in self._checkers:
            verdict = await checker.check(staged, lines)
            if verdict.outcome is Outcome.REJECTED:
                return verdict
            verdicts.append(verdict)
        skipped = any(verdict.outcome is Outcome.SKIPPED for verdict in verdicts)
        return Verdict(
            outcome=Outcome.SKIPPED if skipped else Outcome.ACCEPTED,
            text="; ".join(verdict.text for verdict in verdicts if verdict.text),
        )


def _paths(staged: Mapping[str, Path]) -> dict[str, str]:
    return {name: str(path) for name, path in staged.items()}


def _directory(staged: Mapping[str, Path]) -> Path:
    return next(iter(staged.values())).parent.absolute()


def _present(main: Path | None) -> str | None:
    return str(main.absolute()) if main is not None and main.exists() else None


def _sources(staged: Mapping[str, Path], made: Plan, lines: Sequence[bytes] = ()) -> Sources:
    originals = {copy.path: copy.original for copy in made.copies}
    lines_path = next((copy.path for copy in made.copies if copy.path.endswith("lines.conf")), "")
    return Sources(staged=staged, originals=originals, lines=lines, lines_path=lines_path)
