"""Policies in files: chosen by suffix, and what is no policy is a fault that names the file."""

from pathlib import Path

import pytest

from lochkit.zfs.errors import BadPolicy
from lochkit.zfs.policy_files import load_policy
from lochkit.zfs.policy_read import read_policy


def test_files_are_chosen_by_their_suffix(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text("[[job]]\nname = 'a'\ndatasets = ['tank']\n")
    read = read_policy({"job": [{"name": "a", "datasets": ["tank"]}]})
    assert load_policy(str(path)) == read
    old = tmp_path / "server.JSON"
    old.write_text(
        '{"datasets": [{"hostname": "web1", "dataset": "tank", "backup": '
        '{"prefix": "cold", "retention": ["2 in last day"]}}]}'
    )
    (job,) = load_policy(str(old)).policy.jobs
    assert job.name == "web1.tank.backup"


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("p.toml", b"job = [", "not valid TOML"),
        ("p.toml", b"\xff", "not valid"),
        ("p.toml", b"a = " + b"[" * 10_000, "not valid"),
        ("p.toml", b"#" * 4_200_000, "larger than"),
        ("p.toml", b"x = 1\ny = 2", "x: unknown key"),
        ("p.json", b"{", "not valid JSON"),
        ("p.json", b"\xff", "not valid"),
        ("p.json", b"[" * 100_000, "not valid JSON"),
        ("p.json", b'{"a": 1, "a": 2}', "'a' is there twice"),
        ("p.json", b"[]", "expected a table, found a list"),
        ("p.yaml", b"", "a policy is a file .toml, or a server.json"),
        ("gone.toml", None, "No such file"),
    ],
    ids=range(12),
)
def test_files_that_are_none(tmp_path: Path, name: str, content: bytes | None, fault: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadPolicy) as caught:
        load_policy(str(path))
    lines = str(caught.value).split("\n")
    assert all(line.startswith(f"{path}: ") for line in lines)
    assert any(fault in line for line in lines), lines
