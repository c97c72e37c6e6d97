"""Jobs of a policy taken together: names, targets and prefixes that do not go together."""

import tomllib

import pytest

from lochkit.zfs.errors import BadPolicy
from lochkit.zfs.policy_read import PolicyRead, read_policy


def policy(text: str) -> PolicyRead:
    return read_policy(tomllib.loads(text))


def faults(text: str) -> list[str]:
    with pytest.raises(BadPolicy) as caught:
        policy(text)
    return str(caught.value).split("\n")


def job(name: str, datasets: str = "'tank/a'", more: str = "") -> str:
    return f"[[job]]\nname = '{name}'\ndatasets = [{datasets}]\n{more}\n"


def to(host: str, target: str, name: str = "") -> str:
    named = f"name = '{name}'\n" if name else ""
    return f"[[job.replicate]]\nto = '{host}'\ntarget = '{target}'\n{named}"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (job("a") + job("a", "'tank/b'"), "job[1].name: 2 jobs are called 'a': rename one"),
        (
            job("a", more=to("vault", "bulk/a", "r")) + job("b", more=to("far", "bulk/a", "r")),
            "job[1].replicate[0].name: 2 replications are called 'r'",
        ),
        (
            job("a", more=to("vault", "bulk/a") + to("vault", "bulk/b")),
            "job[0].replicate[1].name: 2 replications are called 'a_vault'",
        ),
        (
            job("a", more=to("vault", "bulk/a")) + job("b", more=to("vault", "bulk/a")),
            "job[1].replicate[0].target: 'bulk/a' on vault overlaps 'bulk/a' of job[0].replicate",
        ),
        (
            job("a", "'tank'", "recursive = true\n" + to("vault", "bulk"))
            + job("b", "'ssd'", to("vault", "bulk/x/y")),
            "job[1].replicate[0].target: 'bulk/x/y' on vault overlaps 'bulk' of job[0]",
        ),
        (
            job("b", "'ssd'", to("vault", "bulk/x/y"))
            + job("a", "'tank'", "recursive = true\n" + to("vault", "bulk")),
            "job[0].replicate[0].target: 'bulk/x/y' on vault overlaps 'bulk' of job[1]",
        ),
        (
            job("a", "'tank/a', 'ssd/b'", to("vault", "bulk"))
            + job("b", "'ssd/c'", to("vault", "bulk/ssd/b")),
            "job[1].replicate[0].target: 'bulk/ssd/b' on vault overlaps",
        ),
        (job("a", more=to("local", "tank/a")), "job[0].replicate[0].target: tank/a can not be"),
        (
            job("a", more="host = 'web1'\n" + to("web1", "tank/a")),
            "replicate[0].target: tank/a can",
        ),
        (job("a", more=to("local", "tank")), "job[0].replicate[0].target: tank/a can not be"),
        (
            job("a", "'tank'", "recursive = true\n" + to("local", "tank/copy")),
            "job[0].replicate[0].target: tank, with all below it, can not be replicated",
        ),
        (
            job("a", f"'{'x' * 100}/{'y' * 100}', 'z'", to("vault", "bulk/" + "v" * 100)),
            "job[0].replicate[0].target: ",
        ),
    ],
)
def test_what_is_wrong_with_jobs_together(text: str, fault: str) -> None:
    found = faults(text)
    assert any(fault in line for line in found), found


@pytest.mark.parametrize(
    "text",
    [
        job("a", more=to("vault", "tank/a")),
        job("a", more=to("vault", "bulk/a") + to("far", "bulk/a")),
        job("a", more=to("vault", "bulk/a")) + job("b", "'tank/b'", to("vault", "bulk/a/b")),
        job("a", more=to("vault", "bulk/a")) + job("b", "'tank/b'", to("vault", "bulk/ab")),
        job(
            "a", "'tank'", "recursive = true\nexclude = ['tank/copy']\n" + to("local", "tank/copy")
        ),
        job("a", more=to("local", "tank/ab")),
        job("a", more="host = 'x'\n" + to("local", "bulk/a"))
        + job("b", more="host = 'y'\n" + to("local", "bulk/a")),
    ],
)
def test_what_is_right_with_jobs_together(text: str) -> None:
    assert policy(text).warnings == ()


TAKES = "snapshot = { cron = '@daily' }\nkeep = ['last 1']\n"


@pytest.mark.parametrize(
    ("text", "warnings"),
    [
        (job("a"), ["job[0]: 'a' does nothing: no snapshot.cron, no keep, no replicate"]),
        (job("a", more=TAKES) + job("b", "'tank/b'", TAKES), []),
        (
            job("a", more=TAKES) + job("b", more=TAKES),
            ["job[0].snapshot.prefix: 'a' and 'b' both call theirs 'lochkit'"],
        ),
        (
            job("a", "'tank/a/b'", TAKES) + job("b", "'tank'", "recursive = true\n" + TAKES),
            ["job[1].snapshot.prefix: 'b' and 'a' both call theirs"],
        ),
        (
            job("a", "'tank/a/b'", TAKES)
            + job("b", "'tank'", "recursive = true\nexclude = ['tank/a']\n" + TAKES),
            [],
        ),
        (job("a", more="host = 'x'\n" + TAKES) + job("b", more="host = 'y'\n" + TAKES), []),
        (
            job("a", more="host = 'web1'\n" + to("vault", "bulk/a"))
            + job("b", "'bulk'", "host = 'vault'\nrecursive = true\n" + TAKES),
            ["job[1].snapshot: 'b' takes snapshots of 'bulk/a', into which job[0].replicate[0]"],
        ),
        (
            job("a", more=to("vautl", "bulk/a")) + "[hosts.vault]\naddress = 'x'",
            ["job[0].replicate[0].to: 'vautl' is not among the hosts; did you mean 'vault'?"],
        ),
        (job("a", more=to("elsewhere", "bulk/a")) + "[hosts.vault]\naddress = 'x'", []),
    ],
)
def test_what_is_suspicious(text: str, warnings: list[str]) -> None:
    found = policy(text).warnings
    assert len(found) == len(warnings), found
    assert all(line.startswith(start) for line, start in zip(found, warnings, strict=True)), found


def test_thousands_of_jobs_are_judged_at_once() -> None:
    more = "host = 'web1'\n" + TAKES
    text = "".join(
        job(f"j{number}", f"'tank/d{number}'", more + to("vault", f"bulk/d{number}"))
        for number in range(500)
    )
    read = policy(text)
    assert len(read.policy.jobs) == 500
    assert read.warnings == ()
