"""etcd3 (PyPI) as a client under measurement; runs in a venv of its own."""

import os
import sys

import etcd3  # type: ignore[import-not-found]  # not in our lock: it has its own venv
from measured import Clock, ready, report  # type: ignore[import-not-found]

NO_LIMIT = [("grpc.max_receive_message_length", -1)]


def main(address: str, what: str, prefix: str, number: str) -> None:
    """Do what is asked for."""
    host, port = address.split(":")
    start = prefix.encode()
    etcd = etcd3.client(host=host, port=int(port), grpc_options=NO_LIMIT)
    etcd.get(b"warm")
    clock = Clock()
    if what == "load":
        found = {meta.key: (value, meta.mod_revision) for value, meta in etcd.get_prefix(start)}
        report(clock, count=len(found))
    elif what == "watch":
        count = 0
        options = {"start_revision": int(number)} if int(number) else {}
        events, _cancel = etcd.watch_prefix(prefix, **options)
        if not options:
            ready()
            clock = Clock()
        for event in events:
            count += 1
            if event.key == start + b"end":
                break
        report(clock, count=count)
    else:
        puts, gets = [], []
        for _ in range(int(number)):
            began = clock.now()
            etcd.put(start + b"k", b"v")
            puts.append(clock.now() - began)
            began = clock.now()
            etcd.get(start + b"k")
            gets.append(clock.now() - began)
        report(clock, count=int(number), puts=puts, gets=gets)


main(*sys.argv[1:])
sys.stdout.flush()
os._exit(0)  # its threads do not end by themselves
