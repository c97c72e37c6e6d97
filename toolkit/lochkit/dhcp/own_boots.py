"""The sets of boot options that hosts have unlike their group: each is written once. Pure."""

from collections.abc import Mapping

from .boot import boot_key
from .model import Boot, Group, Host
from .settings import RenderSettings

__all__ = ["OwnBoots"]


class OwnBoots:
    """Which sets there are, by how many hosts have them.

    Attributes:
        stamp: goes up with every change of `sets`.
    """

    def __init__(self, settings: RenderSettings) -> None:
        self._settings = settings
        self._general = {group: boot_key(boot) for group, boot in settings.boot.items()}
        self._sets: dict[str, Boot] = {}
        self._counts: dict[str, int] = {}
        self.stamp = 0

    @property
    def sets(self) -> Mapping[str, Boot]:
        """The sets, by their `boot_key`."""
        return self._sets

    def of(self, group: Group, host: Host) -> Boot | None:
        """Return all that a host boots; None when it is what its group boots."""
        if host.boot is None:
            return None
        boot = self._settings.boot_for(group, host.boot)
        return None if boot_key(boot) == self._general[group] else boot

    def count(self, group: Group, host: Host, step: int) -> None:
        """Count a host that comes (1) or goes (-1)."""
        own = self.of(group, host)
        if own is None:
            return
        key = boot_key(own)
        left = self._counts.get(key, 0) + step
        if left:
            self._counts[key] = left
        else:
            del self._counts[key]
        if (left != 0) != (key in self._sets):
            self.stamp += 1
            if left:
                self._sets[key] = own
            else:
                del self._sets[key]
