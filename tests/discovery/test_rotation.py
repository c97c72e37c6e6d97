"""New credentials: what is written, and who is taken to have adopted them."""

import json
from dataclasses import replace

import pytest

from lochkit.discovery.errors import BadRecord, InvalidHost
from lochkit.discovery.host import Credentials, Host, Instance
from lochkit.discovery.rotation import NotPublic, has_adopted, laggards, rotated

RECORD = {
    "name": "web",
    "critical": True,
    "hostname": "web.example.com",
    "user": "app",
    "password": "old",
    "ports": {"http": "80"},
    "public": True,
    "owner": {"team": "blue"},
}


def written(**changes: object) -> bytes:
    return json.dumps(RECORD | changes).encode()


def test_only_the_credentials_change() -> None:
    value, wanted = rotated("web", written(), None, "new")
    assert json.loads(value) == RECORD | {"password": "new"}
    assert wanted == Credentials("app", "new")
    value, wanted = rotated("web", written(), "other", "new")
    assert json.loads(value) == RECORD | {"password": "new", "user": "other"}
    assert wanted == Credentials("other", "new")


def test_odd_ports_are_put_right() -> None:
    value, _ = rotated("web", written(ports={"http": 80}), None, "new")
    assert json.loads(value)["ports"] == {"http": "80"}


@pytest.mark.parametrize("record", [{"public": False}, {"user": ""}])
def test_no_credentials_in_common(record: dict[str, object]) -> None:
    with pytest.raises(NotPublic) as caught:
        rotated("web", written(**record), None, "new")
    assert "old" not in str(caught.value)


@pytest.mark.parametrize("password", ["a\nb", "a\0b", "x" * 5000])
def test_a_password_that_can_be_none_is_not_told(password: str) -> None:
    with pytest.raises(InvalidHost) as caught:
        rotated("web", written(), None, password)
    assert password not in str(caught.value)


def test_a_record_that_can_not_be_read_is_not_replaced() -> None:
    with pytest.raises(BadRecord):
        rotated("web", b"{", None, "new")


NEW = Credentials("app", "new")
HOST = Host(service="web", public=True, user="app", password="old", uuid="a")


@pytest.mark.parametrize(
    ("host", "adopted"),
    [
        (HOST, False),
        (replace(HOST, password="new"), True),
        (replace(HOST, user="other", password="new"), False),
        (replace(HOST, user="", password="", credentials_revision=9), False),
        (replace(HOST, user="", password="", credentials_revision=10), True),
        (replace(HOST, user="", password="", credentials_revision=11), True),
    ],
)
def test_adoption(host: Host, adopted: bool) -> None:
    assert has_adopted(host, NEW, 10) is adopted
    instance = Instance(service="web", uuid="a", host=host)
    assert laggards([instance], NEW, 10) == (() if adopted else (instance,))


def test_private_instances_are_not_waited_for() -> None:
    private = Instance(service="web", uuid="a", host=replace(HOST, public=False))
    assert laggards([private], NEW, 10) == ()
