"""``lochkit pki``, as it is typed."""

import json
from pathlib import Path

import pytest

from lochkit.__main__ import main

Printed = pytest.CaptureFixture[str]


def test_from_nothing_to_a_list(tmp_path: Path, capfd: Printed) -> None:
    pki = str(tmp_path / "pki")
    assert main(["pki", "init", pki, "--title", "our hosts"]) == 0
    assert "keep it to yourself" in capfd.readouterr().out
    assert main(["pki", "issue", pki, "vault", "--san", "10.0.0.2", "--san", "attic"]) == 0
    assert f"copy {pki}/vault to vault" in capfd.readouterr().out
    assert main(["pki", "issue", pki, "web1", "--days", "10"]) == 0
    assert main(["pki", "issue", pki, "web1", "--days", "20", "--renew"]) == 0
    capfd.readouterr()
    assert main(["pki", "show", pki]) == 0
    rows = [line.split() for line in capfd.readouterr().out.splitlines()]
    assert [(row[0], row[-1]) for row in rows] == [
        ("our", f"{pki}/ca.crt"),
        ("vault", f"{pki}/vault/vault.crt"),
        ("web1", f"{pki}/web1/web1.crt"),
    ]
    assert rows[2][1:4] == ["19", "days", "left"]


def test_one_certificate_is_told_of_at_length(tmp_path: Path, capfd: Printed) -> None:
    pki = str(tmp_path / "pki")
    main(["pki", "init", pki])
    main(["pki", "issue", pki, "vault", "--san", "10.0.0.2"])
    capfd.readouterr()
    assert main(["pki", "show", f"{pki}/vault/vault.crt"]) == 0
    assert "DNS:vault, IP Address:10.0.0.2" in capfd.readouterr().out


def test_json_has_all_of_it_and_an_exposed_key_is_a_failure(tmp_path: Path, capfd: Printed) -> None:
    pki = tmp_path / "pki"
    main(["pki", "init", str(pki)])
    (pki / "ca.key").chmod(0o644)
    capfd.readouterr()
    assert main(["pki", "show", str(pki), "--json"]) == 1
    [found] = json.loads(capfd.readouterr().out)
    assert found["name"] == "lochkit"
    assert found["authority"] is True
    assert found["key_exposed"] is True
    assert found["days_left"] == 3649
    assert main(["pki", "show", str(pki)]) == 1
    assert "KEY CAN BE READ BY OTHERS" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "a mode is needed: one of init, issue, show"),
        (["foo"], 2, "there is no mode 'foo'"),
        (["init"], 2, "name a directory: lochkit pki init DIRECTORY"),
        (["init", "a", "b"], 2, "name a directory"),
        (["init", "x", "--title", "a/b"], 2, "can not be the name of an authority"),
        (["init", "x", "--days", "0"], 2, "must be at least 1"),
        (["issue", "x"], 2, "name an authority and a host"),
        (["issue", "x", "../y"], 2, "can not be the name of a host"),
        (["issue", "x", "y", "--san", "a,DNS:b"], 2, "can not be the name of a host"),
        (["issue", "x", "y"], 78, "x has no ca.crt: make an authority"),
        (["show", "x"], 78, "there is no x"),
        (["show"], 2, "name a certificate or an authority"),
    ],
)
def test_what_can_not_be_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: Printed,
    words: list[str],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["pki", *words]) == code
    assert said in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []
