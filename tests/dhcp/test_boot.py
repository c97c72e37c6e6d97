"""Boot options: which texts are safe, what they say, and what a client of each kind gets."""

import pytest
from hypothesis import given

from lochkit.dhcp.boot import (
    BIOS,
    IPXE,
    KINDS,
    boot_of,
    check_text,
    default_boot,
    file_of,
    kinds_set,
    merge_boot,
    next_address,
    parse_boot_words,
)
from lochkit.dhcp.model import Boot, Group
from lochkit.dhcp.settings import RenderSettings

from .hosts import boots

UEFI = KINDS[1]


@pytest.mark.parametrize("text", ["undionly.kpxe", "http://h:1/${net0/ip}?a=b&c=(d)", "x" * 255])
def test_a_safe_text_is_taken(text: str) -> None:
    assert check_text(text) == text


@pytest.mark.parametrize("letter", [*"\"\\';,`<>|# \t\n\x00\x7f", "é", "\u2028"])
def test_a_text_that_could_become_a_statement_is_not(letter: str) -> None:
    with pytest.raises(ValueError, match="is not allowed in a boot option"):
        check_text(f"a{letter}b")


@pytest.mark.parametrize("text", ["", "x" * 256])
def test_a_text_has_room_in_an_option(text: str) -> None:
    with pytest.raises(ValueError, match="must have 1 to 255 characters"):
        check_text(text)


def test_metadata_that_says_nothing_of_booting_is_nothing() -> None:
    assert boot_of({}) is None
    assert boot_of({"name": "web-1", "boot.unknown": '"; evil', "Boot.bios": "x"}) is None


def test_metadata_may_say_everything() -> None:
    words = ["ipxe", "bios", "uefi-x64", "uefi-arm64", "http-x64", "http-arm64"]
    metadata = {f"boot.{word}": word for word in words} | {"boot.next-server": "2001:DB8::1"}
    assert boot_of(metadata) == Boot(
        *("ipxe", "bios", "uefi-x64", "uefi-arm64", "http-x64", "http-arm64", "2001:db8::1")
    )


def test_an_empty_value_switches_off() -> None:
    assert boot_of({"boot.bios": "", "boot.next-server": ""}) == Boot(bios="", next_server="")


@pytest.mark.parametrize(
    ("key", "value", "phrase"),
    [
        ("boot.bios", "a b", "metadata boot.bios: the character ' ' is not allowed"),
        ("boot.next-server", "a b", "metadata boot.next-server: the character ' '"),
        ("boot.next-server", "10.0.0.256", "the last part is only digits"),
        ("boot.next-server", "-a.example", "is no DNS name"),
        ("boot.next-server", "fe80::1%eth0", "has a zone"),
        ("boot.next-server", "fe80::1%$(x)", "has a zone"),
    ],
)
def test_an_unsafe_value_is_named(key: str, value: str, phrase: str) -> None:
    with pytest.raises(ValueError, match=phrase.replace("(", r"\(").replace("$", r"\$")):
        boot_of({key: value})


def test_words_of_the_command_line() -> None:
    words = ["guests.bios=a", "guests.bios=b", "guests.ipxe=http://x/?a=b", "hypervisors.ipxe="]
    assert parse_boot_words(words) == {
        Group.GUESTS: Boot(bios="b", ipxe="http://x/?a=b"),
        Group.HYPERVISORS: Boot(ipxe=""),
    }
    assert parse_boot_words([]) == {}


@pytest.mark.parametrize("word", ["guests.bios", "bios=x", "guest.bios=x", "guests.efi=x", "=", ""])
def test_a_word_of_another_form_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match=r"is not \(hypervisors\|guests\)\.\(ipxe"):
        parse_boot_words([word])


def test_a_word_with_an_unsafe_value_is_refused() -> None:
    with pytest.raises(ValueError, match=r"guests\.uefi-x64: the character ';' is not allowed"):
        parse_boot_words(["guests.uefi-x64=a;b"])


def test_the_original_boots_hypervisors_only() -> None:
    assert default_boot("ex") == {
        Group.HYPERVISORS: Boot(
            ipxe="http://ipxe.services.ex:8888/ipxe/${net0/ip}",
            bios="undionly.kpxe",
            next_server="tftp.services.ex",
        ),
        Group.GUESTS: Boot(),
    }


def test_settings_put_words_before_the_default_and_hosts_before_both() -> None:
    settings = RenderSettings.of("ex", ["hypervisors.bios=x", "guests.uefi-x64=y"])
    assert settings.domains == {Group.HYPERVISORS: "nodes.ex", Group.GUESTS: "guests.ex"}
    assert settings.boot[Group.HYPERVISORS].bios == "x"
    assert settings.boot[Group.HYPERVISORS].next_server == "tftp.services.ex"
    assert settings.boot_for(Group.GUESTS, None) == Boot(uefi_x64="y")
    assert settings.boot_for(Group.GUESTS, Boot(uefi_x64="", bios="z")) == Boot(
        uefi_x64="", bios="z"
    )


@given(special=boots(), general=boots())
def test_merging_is_for_every_group(special: Boot, general: Boot) -> None:
    merged = merge_boot({Group.GUESTS: special}, {Group.HYPERVISORS: general})
    assert merged == {Group.HYPERVISORS: general, Group.GUESTS: special}


def test_a_client_for_which_nothing_is_set_gets_the_bios_file() -> None:
    boot = Boot(ipxe="script", bios="bios", uefi_x64="")
    assert kinds_set(boot) == (IPXE, BIOS)
    assert file_of(boot, IPXE) == (IPXE, "script")
    assert file_of(boot, UEFI) == (BIOS, "bios")
    assert file_of(Boot(uefi_x64="efi"), IPXE) is None


@pytest.mark.parametrize(
    ("server", "version", "address"),
    [
        ("192.0.2.1", 4, "192.0.2.1"),
        ("192.0.2.1", 6, None),
        ("2001:db8::1", 6, "2001:db8::1"),
        ("tftp.example.com", 4, None),
        ("", 4, None),
        (None, 4, None),
    ],
)
def test_only_some_servers_are_addresses(
    server: str | None, version: int, address: str | None
) -> None:
    assert next_address(Boot(next_server=server), version) == address
