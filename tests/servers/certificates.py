"""Certificates for one test run: an authority, a server, and clients by common name."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path

import trustme

__all__ = ["Certificates", "KeyPair"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """Paths of a certificate and its private key (PEM)."""

    cert: str
    key: str


@dataclass(slots=True)
class Certificates:
    """An authority of its own under ``directory``, which the caller makes and removes.

    Attributes:
        cacert: path of the authority's certificate.
        server: valid for 127.0.0.1, ::1 and localhost.
    """

    directory: Path
    cacert: str = field(init=False)
    server: KeyPair = field(init=False)
    _authority: trustme.CA = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._authority = trustme.CA()
        path = self.directory / "ca.pem"
        self._authority.cert_pem.write_to_path(path)
        self.cacert = str(path)
        names = ("127.0.0.1", "::1", "localhost")
        self.server = self._save("server", self._authority.issue_cert(*names))

    def client(self, name: str) -> KeyPair:
        """Return a client certificate whose common name is ``name``."""
        leaf = self._authority.issue_cert(f"{name}.client.invalid", common_name=name)
        return self._save(f"client-{name}", leaf)

    def client_context(self, name: str | None = None) -> ssl.SSLContext:
        """Return what a client needs to trust the server, and to be somebody if named."""
        context = ssl.create_default_context(cafile=self.cacert)
        if name is not None:
            pair = self.client(name)
            context.load_cert_chain(pair.cert, pair.key)
        return context

    def _save(self, name: str, leaf: trustme.LeafCert) -> KeyPair:
        cert, key = self.directory / f"{name}.pem", self.directory / f"{name}.key"
        cert.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        leaf.private_key_pem.write_to_path(key)
        key.chmod(0o600)
        return KeyPair(cert=str(cert), key=str(key))
