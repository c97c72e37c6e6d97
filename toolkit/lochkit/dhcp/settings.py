"""What all renderers are told alike. Pure data."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .boot import default_boot, merge_boot, parse_boot_words
from .model import Boot, Group
from .naming import group_domains

__all__ = ["RenderSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderSettings:
    """How hosts of each group are served.

    Attributes:
        domains: the domain name that each group's hosts are given.
        boot: what each group boots; a host's own `Boot` goes before it.
    """

    domains: Mapping[Group, str]
    boot: Mapping[Group, Boot]

    @classmethod
    def of(cls, domain: str, boot_words: Iterable[str] = ()) -> "RenderSettings":
        """Return the settings for a cluster's domain, as the original had them, and what differs.

        Args:
            domain: such as ``example.com``.
            boot_words: as `parse_boot_words` takes them.

        Raises:
            ValueError: with a phrase, when the domain or a word is wrong.
        """
        special = parse_boot_words(boot_words)
        return cls(domains=group_domains(domain), boot=merge_boot(special, default_boot(domain)))

    def boot_for(self, group: Group, own: Boot | None) -> Boot:
        """Return what a host of `group` with these options of its own boots."""
        general = self.boot[group]
        return general if own is None else own.over(general)
