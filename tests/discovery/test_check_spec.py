"""What an operator may say of a check, and that all else is told."""

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.discovery.check_model import (
    AbsentFile,
    CheckSpec,
    Codes,
    ExecTarget,
    HttpTarget,
    TcpTarget,
    TtlTarget,
)
from lochkit.discovery.check_settings import parse_duration
from lochkit.discovery.check_spec import parse_check, resolve
from lochkit.discovery.errors import InvalidHost
from lochkit.discovery.host import Host


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("tcp://db:5432", TcpTarget(host="db", port=5432)),
        ("tcp://[::1]:80", TcpTarget(host="::1", port=80)),
        ("tcp:pg", TcpTarget(host="127.0.0.1", port="pg")),
        ("http://h", HttpTarget(host="h", port=80)),
        ("https://h/a%20b?x=1&y", HttpTarget(host="h", port=443, path="/a%20b?x=1&y", tls=True)),
        ("http:web", HttpTarget(host="127.0.0.1", port="web")),
        ("http:web/up?all", HttpTarget(host="127.0.0.1", port="web", path="/up?all")),
        ("https:web/up", HttpTarget(host="127.0.0.1", port="web", path="/up", tls=True)),
        (
            "https://h:8443 cacert='/etc/my ca.pem' insecure host=www.x method=HEAD"
            " status=200-204,301 warn=none",
            HttpTarget(
                host="h",
                port=8443,
                tls=True,
                cacert="/etc/my ca.pem",
                insecure=True,
                name="www.x",
                method="HEAD",
                good=Codes(((200, 204), (301, 301))),
                warning=Codes(),
            ),
        ),
        ("ttl:/run/alive", TtlTarget(path="/run/alive")),
        ("ttl:alive ttl=1.5m", TtlTarget(path="alive", ttl=90)),
        ("absent:/run/off", AbsentFile(path="/run/off")),
        ("exec -- check", ExecTarget(argv=("check",))),
        (
            "exec warn=1,3-4 -- check -- 'a b' $HOME",
            ExecTarget(argv=("check", "--", "a b", "$HOME"), warning=Codes(((1, 1), (3, 4)))),
        ),
    ],
)
def test_targets(text: str, target: object) -> None:
    assert parse_check(text).target == target


def test_how_often_and_what_counts() -> None:
    spec = parse_check("tcp:x interval=500ms timeout=2m passes=2 failures=5 name=it")
    assert spec == CheckSpec(
        name="it",
        target=TcpTarget(host="127.0.0.1", port="x"),
        interval=0.5,
        timeout=120,
        passes=2,
        failures=5,
    )
    usual = parse_check("tcp:x")
    assert (usual.interval, usual.timeout, usual.passes, usual.failures) == (10, 5, 1, 3)
    file = parse_check("absent:/x")
    assert (file.interval, file.timeout, file.passes, file.failures) == (1, 5, 1, 1)


def test_a_name_and_a_repr_hold_no_secret() -> None:
    for text in ("http:web/up?token=hunter2", "exec -- /bin/check --password hunter2"):
        spec = parse_check(text)
        assert "hunter2" not in spec.name
        assert "hunter2" not in repr(spec)
    assert parse_check("exec -- /bin/check -v").name == "exec /bin/check"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "must say what is looked at"),
        ("'", "split into words"),
        ("udp:x", "is no check"),
        ("tcp", "is no check"),
        ("exec true", "follows after --"),
        ("exec --", "follows after --"),
        ("exec -- ''", "no name"),
        ("tcp:", "scheme of a port"),
        ("tcp:8080", "scheme of a port"),
        ("tcp://h", "needs a port"),
        ("tcp://h:0", "no port 0"),
        ("tcp://h:70000", "host or port is none"),
        ("tcp://:80", "neither a host's name nor"),
        ("tcp://h:80/x", "nothing after the port"),
        ("http://u:hunter2@h/", "takes no user or password"),
        ("http://h/#top", "fragment"),
        ("'http://h/a b'", "no spaces"),
        ("http:web/é", "no spaces"),
        ("http:web method=get", "no method"),
        ("http:web method=CONNECT", "no method"),
        ("http:web 'host=a b'", "no host's name"),
        ("http:web host=a\\\r", "control character"),
        ("http:web insecure", "insecure= is no setting of this check"),
        ("http:web status=99", "numbers from 200 to 599"),
        ("http:web status=299-200", "numbers from 200 to 599"),
        ("https:web insecure=maybe", "neither true nor false"),
        ("tcp:x interval", "no setting such as"),
        ("tcp:x interval=", "no setting such as"),
        ("tcp:x interval=10", "no time such as 500ms"),
        ("tcp:x interval=1ms", "not between 0.1s"),
        ("tcp:x interval=1s interval=2s", "twice"),
        ("tcp:x passes=0", "from 1 to 1000"),
        ("tcp:x status=200", "status= is no setting of this check"),
        ("absent:/x failures=2", "failures= is no setting"),
        ("ttl:", "a path follows"),
        ("exec warn=0 -- x", "numbers from 1 to 255"),
    ],
)
def test_what_is_told(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse_check(text)
    assert told in str(caught.value)
    assert "hunter2" not in str(caught.value)


@given(st.text(max_size=60) | st.from_regex(r"(tcp|https?):(//)?[a-z:0-9/@?#\[\]]{0,20}"))
def test_any_text_is_a_check_or_told(text: str) -> None:
    with suppress(ValueError):
        assert parse_check(text).interval > 0


@pytest.mark.parametrize(
    ("word", "seconds"), [("500ms", 0.5), ("10s", 10), ("1.5m", 90), ("2h", 7200)]
)
def test_durations(word: str, seconds: float) -> None:
    assert parse_duration(word) == seconds


def test_codes() -> None:
    codes = Codes(((200, 299), (401, 401)))
    assert [code in codes for code in (199, 200, 299, 300, 401)] == [False, True, True, False, True]
    assert str(codes) == "200-299,401"


def test_a_port_by_its_scheme() -> None:
    spec = parse_check("http:web/up")
    host = Host(ports={"web": "80"})
    assert resolve(spec, host).target == replace(spec.target, port=80)  # type: ignore[arg-type]
    host = Host(ports={"web": "80"}, private_ports={"web": "8080"})
    assert resolve(spec, host).target == replace(spec.target, port=8080)  # type: ignore[arg-type]
    for without in (Host(), Host(ports={"other": "1"}), Host(ports={"web": ""})):
        with pytest.raises(InvalidHost, match="there is no port for 'web'"):
            resolve(spec, without)
    fixed = parse_check("tcp://h:1")
    assert resolve(fixed, Host()) is fixed
