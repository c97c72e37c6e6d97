"""What clients boot: which kinds of clients there are, and the texts that may name a file. Pure.

Every server gets the same rule. A client that is iPXE already gets the script; one whose firmware
says its architecture gets the file of that kind; any other gets the BIOS file, and so does one of a
kind for which nothing is set. That is how the original's ``if ... else`` works.
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2s
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, NamedTuple

from .model import Boot, Group
from .naming import check_domain, check_name

__all__ = [
    "BIOS",
    "HTTP_CLIENT_6",
    "IPXE",
    "KINDS",
    "WORDS",
    "Kind",
    "boot_key",
    "boot_of",
    "check_text",
    "default_boot",
    "file_of",
    "kinds_set",
    "merge_boot",
    "next_address",
    "parse_boot_words",
    "url_of",
]

PREFIX: Final = "boot."
"""What the keys of boot options begin with in an object's metadata."""

_LONGEST: Final = 255  # bytes of an option's text: its length is one byte
# Each of these means something in a file of one of the servers, or in a shell that sees the text.
_FORBIDDEN: Final = frozenset("\"\\';,`<>|#")


class Kind(NamedTuple):
    """One kind of client, and the field of `Boot` that has its file.

    Attributes:
        word: how operators write it: ``uefi-x64``.
        field: of `Boot`.
        architectures: what the client says in option 93 (61 in DHCPv6), RFC 4578 and the IANA
            registry of processor architectures; empty for iPXE and BIOS.
        http: the file is a URL fetched by the firmware, which wants to see ``HTTPClient`` in option
            60 of the answer (UEFI 2.5, 23.7); no TFTP server is involved.
    """

    word: str
    field: str
    architectures: tuple[int, ...] = ()
    http: bool = False


IPXE: Final = Kind("ipxe", "ipxe")
BIOS: Final = Kind("bios", "bios")
KINDS: Final = (
    IPXE,
    Kind("uefi-x64", "uefi_x64", (7, 9)),
    Kind("uefi-arm64", "uefi_arm64", (11,)),
    Kind("http-x64", "http_x64", (16,), http=True),
    Kind("http-arm64", "http_arm64", (19,), http=True),
    BIOS,
)
"""All kinds, in the order in which a client is compared with them; the last takes the rest."""

HTTP_CLIENT_6: Final = bytes.fromhex("00000157000a") + b"HTTPClient"
"""The vendor class (option 16) that UEFI's HTTP boot looks for in a DHCPv6 answer: an enterprise
number, Intel's as in what the firmware sends, a length, and the text."""

WORDS: Final[Mapping[str, str]] = {
    **{kind.word: kind.field for kind in KINDS},
    "next-server": "next_server",
}
"""The field of `Boot` for each word an operator may write."""

_KEYS: Final = {PREFIX + word: word for word in WORDS}


def check_text(text: str) -> str:
    """Return `text` when it is safe in every server's configuration, and fits an option.

    Raises:
        ValueError: it is not, with a phrase that says why.
    """
    if not 1 <= len(text) <= _LONGEST:
        raise ValueError(f"must have 1 to {_LONGEST} characters and has {len(text)}")
    for letter in text:
        if not "!" <= letter <= "~" or letter in _FORBIDDEN:
            raise ValueError(f"the character {letter!r} is not allowed in a boot option")
    return text


def _check_server(text: str) -> str:
    check_text(text)
    if "%" in text:  # a zone: `ip_address` would take anything after it
        raise ValueError(f"{text!r} has a zone, which means something on one machine only")
    try:
        return str(ip_address(text))
    except ValueError:
        return check_name(text)


def _value(word: str, text: str) -> str:
    if text == "":
        return text  # switched off
    try:
        return _check_server(text) if word == "next-server" else check_text(text)
    except ValueError as error:
        raise ValueError(f"{word}: {error}") from None


def boot_of(metadata: Mapping[str, str]) -> Boot | None:
    """Return what an object's metadata says of booting; None when it says nothing.

    Args:
        metadata: keys such as ``boot.uefi-x64``; "" switches one off. Any other key is ignored.

    Raises:
        ValueError: a text is not safe, with a phrase that names the key.
    """
    said = {word: metadata[key] for key, word in _KEYS.items() if key in metadata}
    if not said:
        return None
    try:
        return Boot(**{WORDS[word]: _value(word, text) for word, text in said.items()})
    except ValueError as error:
        raise ValueError(f"metadata {PREFIX}{error}") from None


def parse_boot_words(words: Iterable[str]) -> dict[Group, Boot]:
    """Return what words such as ``guests.uefi-x64=ipxe.efi`` say; of two alike the later counts.

    Raises:
        ValueError: a word is not of that form, or its value is not safe.
    """
    fields: dict[Group, dict[str, str]] = {group: {} for group in Group}
    for word in words:
        name, equals, value = word.partition("=")
        group_name, _, kind = name.partition(".")
        group = next((group for group in Group if group.value == group_name), None)
        if not equals or group is None or kind not in WORDS:
            groups = "|".join(group.value for group in Group)
            raise ValueError(f"{word!r} is not ({groups}).({'|'.join(WORDS)})=VALUE")
        try:
            fields[group][WORDS[kind]] = _value(kind, value)
        except ValueError as error:
            raise ValueError(f"{group_name}.{error}") from None
    return {group: Boot(**said) for group, said in fields.items() if said}


def default_boot(domain: str) -> dict[Group, Boot]:
    """Return what the original told its hosts: iPXE for hypervisors, nothing for guests.

    Raises:
        ValueError: `domain` is no domain.
    """
    check_domain(domain)
    hypervisors = Boot(
        ipxe=f"http://ipxe.services.{domain}:8888/ipxe/${{net0/ip}}",
        bios="undionly.kpxe",
        next_server=f"tftp.services.{domain}",
    )
    return {Group.HYPERVISORS: hypervisors, Group.GUESTS: Boot()}


def merge_boot(special: Mapping[Group, Boot], general: Mapping[Group, Boot]) -> dict[Group, Boot]:
    """Return the boot options of every group: what `special` says, else what `general` says."""
    return {group: special.get(group, Boot()).over(general.get(group, Boot())) for group in Group}


def kinds_set(boot: Boot) -> tuple[Kind, ...]:
    """Return the kinds of clients that get something, in the order in which they are compared."""
    return tuple(kind for kind in KINDS if getattr(boot, kind.field))


def file_of(boot: Boot, kind: Kind) -> tuple[Kind, str] | None:
    """Return what a client of this kind gets: the kind whose file it is, and the file."""
    for found in (kind, BIOS):
        if text := getattr(boot, found.field):
            return found, text
    return None


def next_address(boot: Boot, version: int) -> str | None:
    """Return the server's address of one IP version; None when it is a name, or of the other."""
    try:
        address: IPv4Address | IPv6Address = ip_address(boot.next_server or "")
    except ValueError:
        return None
    return str(address) if address.version == version else None


def url_of(boot: Boot, kind: Kind) -> str | None:
    """Return what a DHCPv6 client of this kind gets, where everything is a URL (RFC 5970).

    None for nothing: a file without a server, or for the BIOS, which boots over IPv4 only.
    """
    file = getattr(boot, kind.field)
    if not file or kind is BIOS:
        return None
    if "://" in file:
        return str(file)
    if not boot.next_server:
        return None
    server = f"[{boot.next_server}]" if ":" in boot.next_server else boot.next_server
    return f"tftp://{server}/{file.removeprefix('/')}"


def boot_key(boot: Boot) -> str:
    """Return a short text that is the same for options that are the same to every client."""
    text = "\n".join(value or "" for value in boot)
    return blake2s(text.encode(), digest_size=8).hexdigest()
