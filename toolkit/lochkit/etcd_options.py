"""The options that say how to reach etcd, common to every subcommand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from .options import flag, option

__all__ = ["DEFAULT_ENDPOINT", "EMBEDDED", "EtcdOptions"]

DEFAULT_ENDPOINT: Final = "http://127.0.0.1:2379"
EMBEDDED: Final = "embedded"
SECTION: Final = "Connection to etcd"


def _no_password(user: str) -> None:
    if ":" in user:
        raise ValueError(
            "a password given here can be read by every user of this host;"
            " give only the name, and the password by --password-file or ETCDCTL_PASSWORD"
        )


def _not_empty(word: str) -> None:
    if not word.strip():
        raise ValueError("must not be empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcdOptions:
    """Where etcd is and who we are to it, as the operator said it; nothing here has been tried yet.

    What is given nowhere else is taken from etcdctl's own variables: ETCDCTL_ENDPOINTS, _CACERT,
    _CERT and _KEY (the latter two only together), _USER (``name`` or ``name:password``) and
    _PASSWORD.

    Attributes:
        password: only ever from the environment; never shown.
    """

    endpoints: tuple[str, ...] = option(
        "--etcd",
        "-e",
        default=(DEFAULT_ENDPOINT,),
        metavar="URL[,URL...]",
        separator=",",
        default_text=f"$ETCDCTL_ENDPOINTS, else {DEFAULT_ENDPOINT}",
        check=_not_empty,
        section=SECTION,
        help="Where etcd is; or the word 'embedded' for one that lochkit starts itself.",
    )
    cacert: str | None = option(
        "--cacert",
        default=None,
        metavar="FILE",
        completes="file",
        section=SECTION,
        help="Certificates to trust (PEM), instead of the host's own.",
    )
    cert: str | None = option(
        "--cert",
        default=None,
        metavar="FILE",
        completes="file",
        section=SECTION,
        help="Client certificate (PEM).",
    )
    key: str | None = option(
        "--key",
        default=None,
        metavar="FILE",
        completes="file",
        section=SECTION,
        help="Key of the client certificate (PEM).",
    )
    server_name: str | None = option(
        "--server-name",
        default=None,
        metavar="NAME",
        section=SECTION,
        help="Name the server's certificate must carry, when it is not the endpoint's.",
    )
    insecure_skip_verify: bool = flag(
        "--insecure-skip-verify",
        section=SECTION,
        help="Trust any server certificate. Anyone on the path can then read and forge everything.",
    )
    user: str | None = option(
        "--user",
        default=None,
        metavar="NAME",
        check=_no_password,
        section=SECTION,
        help="User to log in as; the password comes from --password-file or the environment.",
    )
    password_file: str | None = option(
        "--password-file",
        default=None,
        metavar="FILE",
        completes="file",
        section=SECTION,
        help="File that holds the password; its last line end is not part of it.",
    )
    dial_timeout: float = option(
        "--dial-timeout",
        default=5.0,
        metavar="SECONDS",
        minimum=0,
        above_minimum=True,
        section=SECTION,
        help="Time to reach one endpoint before the next is tried.",
    )
    request_timeout: float = option(
        "--request-timeout",
        default=15.0,
        metavar="SECONDS",
        minimum=0,
        above_minimum=True,
        section=SECTION,
        help="Time one request may take.",
    )
    data_dir: str | None = option(
        "--data-dir",
        default=None,
        metavar="DIRECTORY",
        completes="directory",
        section=SECTION,
        help="Where the embedded etcd keeps its data.",
    )
    password: str | None = field(default=None, repr=False)

    @classmethod
    def resolve(cls, given: Mapping[str, Any], environ: Mapping[str, str]) -> Self:
        """Fill what the operator did not give from etcdctl's variables in ``environ``.

        A pair is taken whole or not at all: somebody else's key or password is never put beside a
        certificate or a user that was given here.
        """
        values = dict(given)
        if listed := environ.get("ETCDCTL_ENDPOINTS", ""):
            words = tuple(word.strip() for word in listed.split(",") if word.strip())
            if words:
                values.setdefault("endpoints", words)
        if bundle := environ.get("ETCDCTL_CACERT"):
            values.setdefault("cacert", bundle)
        if not {"cert", "key"} & given.keys():
            values.update(
                (name, path)
                for name in ("cert", "key")
                if (path := environ.get(f"ETCDCTL_{name.upper()}"))
            )
        name, _, password = environ.get("ETCDCTL_USER", "").partition(":")
        password = environ.get("ETCDCTL_PASSWORD") or password
        if name and given.get("user", name) == name:
            values["user"] = name
            if password and "password_file" not in given:
                values["password"] = password
        elif "user" in given and not name and password and "password_file" not in given:
            values["password"] = password
        return cls(**values)
