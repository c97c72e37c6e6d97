"""A real DHCPv4 server in a network of its own, and clients that ask it, as a program.

It is run inside a fresh network namespace (`exchange.py` does that), reads a JSON job from standard
input and writes the answers as JSON. The server sits on one end of a pair of virtual Ethernet
cards; the clients are frames on the other end, sent as a relay would send them, so that one card
serves every network. Nothing here leaves the namespace, which goes with the process.
"""

import contextlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from ipaddress import ip_address, ip_network
from typing import Any

SERVER_MAC, RELAY_MAC = "02:00:5e:00:00:01", "02:00:5e:00:00:02"
MAGIC = b"\x63\x82\x53\x63"
PATIENCE = 15.0  # seconds for a server to start and answer


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, stdin=subprocess.DEVNULL)


def lay_cable(networks: list[str]) -> None:
    """Make the pair of cards: the server has an address in the first network only, as dhcpd wants
    it, and knows the way to the relay's address in every other."""
    ip("link", "set", "lo", "up")
    words = ("type", "veth", "peer", "name", "relay", "address", RELAY_MAC)
    ip("link", "add", "srv", "address", SERVER_MAC, *words)
    for card in ("srv", "relay"):
        ip("link", "set", card, "up")
    own = ip_network(networks[0])
    ip("addr", "add", f"{own[-2]}/{own.prefixlen}", "dev", "srv")
    for network in networks:
        relay = str(ip_network(network)[-3])
        if network != networks[0]:
            ip("route", "add", f"{relay}/32", "dev", "srv")
        ip("neigh", "replace", relay, "lladdr", RELAY_MAC, "dev", "srv")


def checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def frame(source: str, target: str, payload: bytes) -> bytes:
    """Return an Ethernet frame with a UDP packet from relay to server."""
    udp = struct.pack(">HHHH", 67, 67, 8 + len(payload), 0) + payload
    addresses = ip_address(source).packed + ip_address(target).packed
    fields = struct.pack(">BBHHHBB", 0x45, 0, 20 + len(udp), 0, 0, 64, 17)
    head = fields + struct.pack(">H", checksum(fields + b"\0\0" + addresses)) + addresses
    ethernet = bytes.fromhex((SERVER_MAC + RELAY_MAC).replace(":", "")) + b"\x08\x00"
    return ethernet + head + udp


def question(client: dict[str, Any], relay: str, xid: int) -> bytes:
    """Return a DHCPDISCOVER."""
    mac = bytes.fromhex(client["mac"].replace(":", ""))
    head = struct.pack(">BBBBIHH", 1, 1, 6, 1, xid, 0, 0) + bytes(12) + ip_address(relay).packed
    options = {53: b"\x01", 55: bytes([1, 3, 12, 15, 43, 54, 60, *client["requests"]])}
    if client["architecture"] is not None:
        options[93] = struct.pack(">H", client["architecture"])
        options[94] = b"\x01\x03\x00"
        name = "HTTPClient" if client["http"] else "PXEClient"
        options[60] = f"{name}:Arch:{client['architecture']:05}:UNDI:003000".encode()
    if client["ipxe"]:
        options[77] = b"iPXE"
    text = b"".join(bytes([code, len(value)]) + value for code, value in options.items())
    return head + mac + bytes(10 + 192) + MAGIC + text + b"\xff"


def answer(data: bytes, xid: int) -> dict[str, Any] | None:
    """Return what an offer in this frame says; None when it holds none for us."""
    if data[12:14] != b"\x08\x00" or data[23] != 17:
        return None
    bootp = data[14 + 4 * (data[14] & 15) + 8 :]
    if len(bootp) < 240 or bootp[0] != 2 or struct.unpack(">I", bootp[4:8])[0] != xid:
        return None
    options: dict[int, str] = {}
    rest = bootp[240:]
    while rest and rest[0] != 255:
        if rest[0] == 0:
            rest = rest[1:]
            continue
        options[rest[0]] = rest[2 : 2 + rest[1]].hex()
        rest = rest[2 + rest[1] :]
    return {
        "address": str(ip_address(bootp[16:20])),
        "server": str(ip_address(bootp[20:24])),
        "file": bootp[108:236].split(b"\0")[0].decode("latin-1"),
        "options": options,
    }


def ask(
    card: socket.socket, server: str, client: dict[str, Any], until: float
) -> dict[str, Any] | None:
    relay = str(ip_network(client["network"])[-3])
    for xid in range(1, 1000):  # an answer that is late is not taken for the next one's
        card.send(frame(relay, server, question(client, relay, xid)))
        soon = min(time.monotonic() + 0.5, until)
        while (left := soon - time.monotonic()) > 0:
            if select.select([card], [], [], left)[0] and (said := answer(card.recv(4096), xid)):
                return said
        if time.monotonic() >= until:
            break
    return None


def main() -> None:
    job = json.load(sys.stdin)
    lay_cable(job["networks"])
    card = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
    card.bind(("relay", 0))
    address = str(ip_network(job["networks"][0])[-2])
    server = subprocess.Popen(job["server"], stdout=2, stdin=subprocess.DEVNULL, process_group=0)
    try:
        until = time.monotonic() + PATIENCE
        answers: list[dict[str, Any] | None] = []
        for step in job["steps"]:
            if server.poll() is not None:
                break
            answers.append(ask(card, address, step, until))
            until = max(until, time.monotonic() + 3)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
