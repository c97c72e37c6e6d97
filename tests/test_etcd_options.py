"""EtcdOptions: what etcdctl's variables fill in, and that pairs are never mixed."""

from typing import Any

import pytest

from lochkit.etcd_options import DEFAULT_ENDPOINT, EtcdOptions

CERTIFICATE = {"ETCDCTL_CERT": "/c", "ETCDCTL_KEY": "/k"}
PASSWORD = {"ETCDCTL_USER": "root:s:cret"}


@pytest.mark.parametrize(
    ("given", "environ", "expected"),
    [
        ({}, {}, {"endpoints": (DEFAULT_ENDPOINT,)}),
        ({}, {"ETCDCTL_ENDPOINTS": "a:1, b:2,"}, {"endpoints": ("a:1", "b:2")}),
        ({}, {"ETCDCTL_ENDPOINTS": " , "}, {"endpoints": (DEFAULT_ENDPOINT,)}),
        ({"endpoints": ("x",)}, {"ETCDCTL_ENDPOINTS": "a:1"}, {"endpoints": ("x",)}),
        ({}, {"ETCDCTL_CACERT": "/ca"}, {"cacert": "/ca"}),
        ({"cacert": "/mine"}, {"ETCDCTL_CACERT": "/ca"}, {"cacert": "/mine"}),
        ({}, CERTIFICATE, {"cert": "/c", "key": "/k"}),
        ({"cert": "/mine"}, CERTIFICATE, {"cert": "/mine", "key": None}),
        ({"key": "/mine"}, CERTIFICATE, {"cert": None, "key": "/mine"}),
        ({}, PASSWORD, {"user": "root", "password": "s:cret"}),
        ({"user": "root"}, PASSWORD, {"user": "root", "password": "s:cret"}),
        ({"user": "other"}, PASSWORD, {"user": "other", "password": None}),
        ({"password_file": "/p"}, PASSWORD, {"user": "root", "password": None}),
        ({}, {"ETCDCTL_USER": "root"}, {"user": "root", "password": None}),
        ({}, {"ETCDCTL_PASSWORD": "pw"}, {"user": None, "password": None}),
        ({"user": "me"}, {"ETCDCTL_PASSWORD": "pw"}, {"user": "me", "password": "pw"}),
        ({"user": "me", "password_file": "/p"}, {"ETCDCTL_PASSWORD": "pw"}, {"password": None}),
        ({}, PASSWORD | {"ETCDCTL_PASSWORD": "pw"}, {"user": "root", "password": "pw"}),
        ({}, {"ETCDCTL_USER": ":pw"}, {"user": None, "password": None}),
    ],
)
def test_what_etcdctl_would_use(
    given: dict[str, Any], environ: dict[str, str], expected: dict[str, Any]
) -> None:
    resolved = EtcdOptions.resolve(given, environ)
    assert {name: getattr(resolved, name) for name in expected} == expected


def test_the_password_is_not_shown() -> None:
    assert "s:cret" not in repr(EtcdOptions.resolve({}, PASSWORD))
