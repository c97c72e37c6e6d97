"""The record of our own instance, in which others write, too."""

import json
from dataclasses import replace
from typing import Any

from lochkit.discovery.host import Credentials, Host, State
from lochkit.discovery.own_record import Foreign, own_view, says_leaving
from lochkit.discovery.records import encode_host
from tests.discovery.test_tenure import HOST, OWN, World


def record(host: Host = HOST, **facts: Any) -> bytes:
    return json.dumps(json.loads(encode_host(host)) | facts).encode()


def test_fields_of_others_survive_what_we_write() -> None:
    foreign = Foreign()
    foreign.learn(record(team="blue", lochkit={"state": "critical", "newer": 1}))
    written = json.loads(foreign.encode(replace(HOST, weight=3)))
    assert written["team"] == "blue"
    assert written["lochkit"] == {"weight": 3, "newer": 1}


def test_a_record_that_can_not_be_read_takes_nothing_away() -> None:
    foreign = Foreign()
    foreign.learn(record(team="blue"))
    foreign.learn(b"junk")
    assert json.loads(foreign.encode(HOST))["team"] == "blue"


def test_what_can_not_be_written_is_left_out() -> None:
    foreign = Foreign()
    foreign.fields = {"team": object()}
    assert foreign.encode(HOST) == encode_host(HOST)


def test_what_the_owner_takes_back_does_not_survive() -> None:
    """Also where it was there from the beginning."""
    world = World(replace(HOST, extra={"rack": 4, "row": 1}))
    world.settle()
    assert json.loads(world.store.state[OWN].value)["rack"] == 4
    value = json.loads(world.store.state[OWN].value) | {"team": "blue"}
    world.store.commit([(OWN, json.dumps(value).encode(), world.tenure.lease)], [])
    world.settle()
    world.tenure.want(replace(HOST, extra={"row": 2}), brings=False)
    world.settle()
    written = json.loads(world.store.state[OWN].value)
    assert (written.get("rack"), written["row"], written["team"]) == (None, 2, "blue")


def test_the_view_of_ourselves() -> None:
    public = replace(HOST, public=True, user="u", password="p")
    assert own_view(public, 7, passwords=True) == replace(public, credentials_revision=7)
    hidden = own_view(public, 7, passwords=False)
    assert hidden.credentials == Credentials()
    assert hidden.credentials_revision == 7
    assert own_view(HOST, 7, passwords=True) == HOST


def test_who_says_that_it_leaves() -> None:
    assert says_leaving(record(replace(HOST, state=State.LEAVING)))
    assert not says_leaving(record())
    assert not says_leaving(b"junk")
