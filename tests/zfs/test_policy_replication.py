"""What can be wrong with one destination of a job."""

import tomllib

import pytest

from lochkit.zfs.errors import BadPolicy
from lochkit.zfs.policy_read import read_policy


def faults(text: str) -> list[str]:
    with pytest.raises(BadPolicy) as caught:
        read_policy(tomllib.loads(text))
    return str(caught.value).split("\n")


JOB = '[[job]]\nname = "a"\ndatasets = ["tank/a"]\n'
REPLICATION = JOB + "snapshot = { cron = '@daily' }\n[[job.replicate]]\nto = 'vault'\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "target: missing"),
        ("target = 'bulk/%x'", "target: 'bulk/%x'"),
        ("target = 'bulk/x'\nname = 'a:b'", "name: 'a:b' can not be the name of a replication"),
        ("target = 'bulk/x'\nwhen = 'later'", "when: schedule 'later': five fields are wanted"),
        ("target = 'bulk/x'\nwhen = 5", "when: expected a string, found 5"),
        ("target = 'bulk/x'\nwhen = {zone = 'UTC'}", "when.cron: missing"),
        ("target = 'bulk/x'\nwhen = {cron = '@daily', zone = 'X'}", "when.zone: there is no time"),
        ("target = 'bulk/x'\nsnapshots = '('", "snapshots: '(' is not a regular expression"),
        ("target = 'bulk/x'\ncompression = 'zst'", "expected one of none, zstd, lz4, gzip"),
        ("target = 'bulk/x'\nguarantee = 'none'", "guarantee: expected one of resumable, incr"),
        ("target = 'bulk/x'\nrate = 0", "rate: expected 1024 to"),
        ("target = 'bulk/x'\nraw = 'yes'", 'raw: expected true or false, found "yes"'),
        (
            "target = 'bulk/x'\nkeep = ['not replicated']",
            "keep: 'not replicated' is for the source",
        ),
        ("target = 'bulk/x'\nset_properties = {'a b' = 'x'}", "set_properties.a b: 'a b' is not"),
        ("target = 'bulk/x'\nset_properties = {a = 5}", "set_properties.a: expected a string"),
        ("target = 'bulk/x'\nset_properties = {a = \"x\\ny\"}", "set_properties.a: a value has at"),
        ("target = 'bulk/x'\nexclude_properties = ['-x']", "exclude_properties[0]: '-x' is not"),
        (
            "target = 'bulk/x'\nexclude_properties = ['a']\nset_properties = {a = 'b'}",
            "exclude_properties: 'a' is set and left out at once",
        ),
        ("target = 'bulk/x'\nto_host = 'x'", "to_host: unknown key"),
    ],
)
def test_what_is_wrong_with_a_replication(text: str, fault: str) -> None:
    found = faults(REPLICATION + text)
    assert len(found) == 1
    assert found[0].startswith("job[0].replicate[0].")
    assert fault in found[0]
