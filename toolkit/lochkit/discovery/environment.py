"""The environment variables of the original, read as it meant them. Pure.

Where the original panics, or goes on without TLS and says nothing, an error names the variable.
``HTTP_PROXY`` and its like are not looked at: a registry is no web page.
"""

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from ..errors import ConfigError
from ..etcd.config import Endpoint, Scheme, parse_endpoint

__all__ = ["Surroundings", "read_surroundings"]

_CACERT: Final = "ETCD_CACERT"
_CERT: Final = "ETCD_TLS_CERT"
_KEY: Final = "ETCD_TLS_KEY"
_IN_MEMORY: Final = "ETCD_TLS_INMEMORY"
_LINK: Final = "ETCD_1_PORT_2379_TCP"
_DEFAULT: Final = "http://localhost:2379"

_PEM: Final = re.compile(
    r"^-----BEGIN (?P<label>[A-Z0-9 ]+)-----\s*$(?P<body>.*?)^-----END (?P=label)-----\s*$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the variables say.

    Attributes:
        endpoints: URLs of etcd; none when there is no word of any, nor of TLS.
        cacert: of the authorities that vouch for the servers: a path, or PEM text.
        cert: of the client's certificate, likewise.
        key: of its private key, likewise; never shown.
        in_memory: whether those three are PEM text.
        machine: the name to take for this machine's; empty when there is no word of it.
    """

    endpoints: tuple[str, ...] = ()
    cacert: str | None = None
    cert: str | None = None
    key: str | None = field(default=None, repr=False)
    in_memory: bool = False
    machine: str = ""


def read_surroundings(environ: Mapping[str, str]) -> Surroundings:
    """Read where etcd is: ETCD_HOSTS, else ETCD_HOST, else ETCD_1_PORT_2379_TCP_ADDR and _PORT.

    Any of ETCD_CACERT, ETCD_TLS_CERT and ETCD_TLS_KEY means TLS, which makes ``https`` of each
    ``http``. With ETCD_TLS_INMEMORY=true they hold PEM, all blocks of it, in base64.

    Raises:
        ConfigError: a variable cannot be understood, or lacks its counterpart; it is named.
    """
    given = {name: environ.get(name, "").strip() for name in (_CACERT, _CERT, _KEY)}
    secure = any(given.values())
    if bool(given[_CERT]) != bool(given[_KEY]):
        there, missing = (_CERT, _KEY) if given[_CERT] else (_KEY, _CERT)
        raise ConfigError(f"{there} is set and {missing} is not: a certificate needs both")
    in_memory = secure and _is_in_memory(environ)
    if in_memory:
        given = {name: value and _pem(name, value) for name, value in given.items()}
    return Surroundings(
        endpoints=_endpoints(environ, secure),
        cacert=given[_CACERT] or None,
        cert=given[_CERT] or None,
        key=given[_KEY] or None,
        in_memory=in_memory,
        machine=environ.get("HOSTNAME", "").strip(),
    )


def _endpoints(environ: Mapping[str, str], secure: bool) -> tuple[str, ...]:
    variable, words = _words(environ)
    if not words and secure:
        words = [_DEFAULT]
    found = [_endpoint(variable, word) for word in words]
    if secure:
        found = [
            replace(endpoint, scheme=Scheme.HTTPS) if endpoint.scheme is Scheme.HTTP else endpoint
            for endpoint in found
        ]
    return tuple(dict.fromkeys(str(endpoint) for endpoint in found))


def _words(environ: Mapping[str, str]) -> tuple[str, list[str]]:
    """The first variable that says anything, and the endpoints in it as they stand there."""
    hosts = environ.get("ETCD_HOSTS", "").split(",")
    if words := [word.strip() for word in hosts if word.strip()]:
        return "ETCD_HOSTS", words
    if word := environ.get("ETCD_HOST", "").strip():
        return "ETCD_HOST", [word]
    if address := environ.get(f"{_LINK}_ADDR", "").strip():
        port = environ.get(f"{_LINK}_PORT", "").strip() or "2379"
        host = f"[{address}]" if ":" in address else address
        return f"{_LINK}_ADDR and _PORT", [f"http://{host}:{port}"]
    return "", []


def _endpoint(variable: str, word: str) -> Endpoint:
    if "@" in word:
        # Its text is not told: it holds a password.
        raise ConfigError(
            f"{variable}: no user and no password in a URL, please; give the user apart"
        )
    try:
        return parse_endpoint(word)
    except ConfigError as exc:
        raise ConfigError(f"{variable}: {exc}") from None


def _is_in_memory(environ: Mapping[str, str]) -> bool:
    word = environ.get(_IN_MEMORY, "").strip()
    if word == "true":
        return True
    if word.lower() in ("", "0", "false", "no", "off"):
        return False
    raise ConfigError(f"{_IN_MEMORY} is {word!r}: it is true or false")


def _pem(name: str, value: str) -> str:
    """PEM text out of base64, looked at so far as to know that it is what the variable is for."""
    try:
        text = b64decode("".join(value.split()), validate=True).decode("ascii")
    except (NotBase64, ValueError):
        raise ConfigError(f"{name} is not PEM in base64, as {_IN_MEMORY}=true says") from None
    labels = []
    for block in _PEM.finditer(text):
        # A key of the old format has headers before its body.
        headers, _, body = block["body"].rpartition("\n\n")
        if "ENCRYPTED" in block["label"] or "ENCRYPTED" in headers:
            raise ConfigError(f"{name} is an encrypted key, which nobody could decrypt here")
        try:
            b64decode("".join(body.split()), validate=True)
        except NotBase64:
            raise ConfigError(f"{name} has a damaged PEM block") from None
        labels.append(block["label"])
    wanted = "PRIVATE KEY" if name == _KEY else "CERTIFICATE"
    if not any(label.endswith(wanted) for label in labels):
        raise ConfigError(f"{name} has no PEM block of a {wanted.lower()}")
    return text
