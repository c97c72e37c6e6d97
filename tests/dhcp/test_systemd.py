"""systemctl in the form of a script, on the real clock."""

from pathlib import Path

import pytest
import trio

from lochkit.dhcp.systemd import Systemd, SystemdError

from .systemctl import FakeSystemctl


@pytest.fixture
def fake(tmp_path: Path) -> FakeSystemctl:
    return FakeSystemctl(tmp_path / "systemctl")


def systemd(fake: FakeSystemctl, timeout: float = 5.0) -> Systemd:
    return Systemd(str(fake.path), timeout=timeout)


async def test_states_are_told(fake: FakeSystemctl) -> None:
    fake.set("a", "active")
    fake.set("b", "failed")
    assert [await systemd(fake).state(unit) for unit in "abc"] == ["active", "failed", "inactive"]


async def test_a_restart_does_not_count_as_a_crash(fake: FakeSystemctl) -> None:
    await systemd(fake).act("restart", "a")
    assert fake.calls() == ["reset-failed a", "restart a"]
    await systemd(fake).act("reload", "a")
    assert fake.calls() == ["reload a"]


async def test_a_failure_says_what_systemctl_said(fake: FakeSystemctl) -> None:
    fake.on("restart", "echo Job for $2 failed. >&2; exit 1")
    with pytest.raises(SystemdError, match=r"systemctl restart a: Job for a failed\."):
        await systemd(fake).act("restart", "a")
    fake.on("restart", "exit 4")
    with pytest.raises(SystemdError, match="systemctl restart a: exit code 4"):
        await systemd(fake).act("restart", "a")


async def test_one_that_hangs_is_given_up(fake: FakeSystemctl) -> None:
    fake.on("restart", "sleep 60")
    with trio.fail_after(5), pytest.raises(SystemdError, match=r"did not end within 0\.2 s"):
        await systemd(fake, 0.2).act("restart", "a")


async def test_one_that_is_gone_is_an_error_that_time_may_heal(tmp_path: Path) -> None:
    with pytest.raises(SystemdError):
        await Systemd(str(tmp_path / "none")).state("a")


async def test_a_service_that_falls_over_is_noticed(fake: FakeSystemctl) -> None:
    fake.set("a", "active")
    await systemd(fake).check_settled("a", 0.1)
    async with trio.open_nursery() as nursery:

        async def fall() -> None:
            await trio.sleep(0.2)
            fake.set("a", "activating")

        nursery.start_soon(fall)
        with pytest.raises(SystemdError, match="a is activating after"):
            await systemd(fake).check_settled("a", 5)


def test_it_is_found_only_where_systemd_runs(
    fake: FakeSystemctl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(fake.path.parent))
    assert Systemd.find(running=tmp_path) is not None
    assert Systemd.find(running=tmp_path / "none") is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Systemd.find(running=tmp_path) is None
