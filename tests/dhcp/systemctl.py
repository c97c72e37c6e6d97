"""A systemctl of our own: a script that keeps each unit's state in a file and writes down calls."""

from pathlib import Path

__all__ = ["FakeSystemctl"]

_SCRIPT = """\
#!/bin/sh
echo "$@" >> {directory}/calls
[ -f {directory}/on-$1 ] && . {directory}/on-$1
case $1 in
is-active)
    state=inactive
    [ -f {directory}/state-$2 ] && read state < {directory}/state-$2
    echo $state
    [ $state = active ] || exit 3
    ;;
restart|reload-or-restart)
    echo active > {directory}/state-$2
    ;;
esac
"""


class FakeSystemctl:
    """The script, and what it has been told.

    Args:
        directory: for its files; created.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self._directory = directory
        self.path = directory / "systemctl"
        self.path.write_text(_SCRIPT.format(directory=directory))
        self.path.chmod(0o755)

    def set(self, unit: str, state: str) -> None:
        """Let a unit be in this state."""
        (self._directory / f"state-{unit}").write_text(state + "\n")

    def on(self, verb: str, script: str) -> None:
        """Let a verb do this first."""
        (self._directory / f"on-{verb}").write_text(script)

    def calls(self) -> list[str]:
        """All calls but questions, since the last time."""
        calls = self._directory / "calls"
        lines = calls.read_text().splitlines() if calls.exists() else []
        calls.unlink(missing_ok=True)
        return [line for line in lines if not line.startswith("is-active")]
