"""A real etcd on loopback addresses of its own, started and hurt by tests.

async with EtcdServer.run(binaries("debian")) as server:
    await server.ctl("put", "/a", "1")
    assert await server.dump("/") == {b"/a": b"1"}
    server.kill()
    await server.start()
"""

import http.client
import json
import signal
import subprocess
from base64 import b64decode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING

import trio

from .binaries import Binaries
from .certificates import Certificates
from .ports import free_port
from .process import ServerProcess
from .unix_http import UnixHTTPConnection
from .workspace import workspace

if TYPE_CHECKING:
    import ssl

__all__ = ["EtcdServer", "ServerOptions"]

START_SECONDS = 30.0
POLL_SECONDS = 0.03
CTL_SECONDS = 20
ROOT_PASSWORD = "r00t"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """What kind of server it is.

    Attributes:
        host: an address of the loopback interface, or "unix" for a socket in the data directory.
        port: TCP port for clients; 0 for a free one.
        certificates: given, it speaks TLS.
        client_certificates: clients must show a certificate, whose common name is their user.
        auth: authentication is on; user "root" has the password ROOT_PASSWORD.
        token_ttl: seconds a token of an idle user lives.
        extra: more arguments for etcd.
    """

    host: str = "127.0.0.1"
    port: int = 0
    certificates: Certificates | None = None
    client_certificates: bool = False
    auth: bool = False
    token_ttl: int = 300
    extra: tuple[str, ...] = ()


class EtcdServer:
    """One etcd with its own data directory.

    Attributes:
        name: the member's name.
        endpoint: URL for clients.
        port: TCP port for clients; 0 on a unix socket.
        directory: where it runs; "data" under it is etcd's own.
        process: the process itself.
    """

    def __init__(
        self,
        programs: Binaries,
        directory: Path,
        options: ServerOptions = ServerOptions(),
        *,
        name: str = "etcd",
        peers: Sequence[str] = (),
    ) -> None:
        """Prepare a server; nothing is started.

        Args:
            programs: what to run.
            directory: an empty one of its own, which the caller removes.
            options: what kind of server.
            name: the member's name.
            peers: arguments that make it a cluster's member; a cluster of its own without.
        """
        self.name = name
        self.directory = directory
        self.options = options
        self.programs = programs
        self.port = 0
        scheme = "https" if options.certificates else "http"
        if options.host == "unix":
            # etcd knows only socket names that look like host:port, relative to where it runs.
            assert options.certificates is None
            listen, self.endpoint = "unix://etcd:0", f"unix://{directory}/etcd:0"
        else:
            self.port = options.port or free_port(options.host)
            host = f"[{options.host}]" if ":" in options.host else options.host
            listen = self.endpoint = f"{scheme}://{host}:{self.port}"
        self._authenticated = False
        self._client_context: ssl.SSLContext | None = None
        self._ctl_tls: list[str] = []
        argv = [programs.etcd, f"--name={name}", "--data-dir=data"]
        argv += [f"--listen-client-urls={listen}", f"--advertise-client-urls={listen}"]
        argv += peers or _alone(name)
        argv += ["--logger=zap", "--log-outputs=stderr", "--auth-token=simple"]
        argv += [f"--auth-token-ttl={options.token_ttl}", "--bcrypt-cost=4"]
        argv += [*self._tls(), *options.extra]
        self.process = ServerProcess(argv, directory=directory)

    def _tls(self) -> list[str]:
        certificates = self.options.certificates
        if certificates is None:
            return []
        pair = certificates.server
        argv = [f"--cert-file={pair.cert}", f"--key-file={pair.key}"]
        self._client_context = certificates.client_context()
        self._ctl_tls = [f"--cacert={certificates.cacert}"]
        if self.options.client_certificates:
            # Given alone, the CA's file already makes 3.4 ask for a certificate: so only here.
            argv += ["--client-cert-auth", f"--trusted-ca-file={certificates.cacert}"]
            root = certificates.client("root")
            self._client_context.load_cert_chain(root.cert, root.key)
            self._ctl_tls += [f"--cert={root.cert}", f"--key={root.key}"]
        return argv

    @classmethod
    @asynccontextmanager
    async def run(
        cls, programs: Binaries, options: ServerOptions = ServerOptions()
    ) -> AsyncIterator["EtcdServer"]:
        """A healthy server for as long as the block runs; killed and removed afterwards."""
        with workspace() as directory:
            server = cls(programs, directory, options)
            try:
                await server.start()
                yield server
            finally:
                server.process.kill()

    async def start(self) -> None:
        """Start the process, again too, and return when it is healthy.

        Raises:
            ServerFailed: it ended, or is not healthy within START_SECONDS.
        """
        self._spawn()
        await self.healthy()
        if self.options.auth and not self._authenticated:
            await self.enable_auth()

    def start_sync(self) -> None:
        """Start as :meth:`start` does, for those without an event loop; never with auth."""
        self._spawn()
        deadline = monotonic() + START_SECONDS
        while not self._is_healthy():
            self._check(deadline)
            sleep(POLL_SECONDS)

    def _spawn(self) -> None:
        for socket_name in ("etcd:0", "peer:0"):  # 3.4 stumbles over what a kill left
            (self.directory / socket_name).unlink(missing_ok=True)
        self.process.spawn()

    async def healthy(self) -> None:
        """Return when the server answers a linearizable read."""
        deadline = monotonic() + START_SECONDS
        while not await trio.to_thread.run_sync(self._is_healthy):
            self._check(deadline)
            await trio.sleep(POLL_SECONDS)

    def _check(self, deadline: float) -> None:
        if not self.process.running:
            raise self.process.failure("ended")
        if monotonic() > deadline:
            raise self.process.failure("not healthy in time")

    def _is_healthy(self) -> bool:
        connection = self._http()
        try:
            connection.request("GET", "/health")
            return b'"true"' in connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _http(self) -> http.client.HTTPConnection:
        host = self.options.host
        if host == "unix":
            return UnixHTTPConnection(str(self.directory / "etcd:0"))
        if self._client_context is not None:
            return http.client.HTTPSConnection(
                host, self.port, timeout=2, context=self._client_context
            )
        return http.client.HTTPConnection(host, self.port, timeout=2)

    async def stop(self) -> None:
        """Stop cleanly (SIGTERM)."""
        await self.process.stop()

    def kill(self) -> None:
        """Kill -9."""
        self.process.kill()

    async def restart(self) -> None:
        """Stop cleanly and start again on the same data and addresses."""
        await self.stop()
        await self.start()

    def pause(self) -> None:
        """Freeze the process: connections stay open and silent."""
        self.process.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """End a pause."""
        self.process.signal(signal.SIGCONT)

    async def ctl(self, *arguments: str, user: str | None = None, stdin: bytes = b"") -> bytes:
        """Run etcdctl, as root where there is authentication, and return its output.

        Args:
            arguments: etcdctl's.
            user: ``name:password`` to be instead of root.
            stdin: etcdctl's input, such as a value too strange for an argument.

        Raises:
            AssertionError: it failed; the text is its error output.
        """
        argv = [self.programs.etcdctl, f"--endpoints={self.endpoint}", *self._ctl_tls]
        if user is None and self._authenticated and not self.options.client_certificates:
            user = f"root:{ROOT_PASSWORD}"
        if user is not None:
            argv.append(f"--user={user}")
        argv.append(f"--command-timeout={CTL_SECONDS - 1}s")
        with trio.fail_after(CTL_SECONDS):
            done = await trio.run_process(
                [*argv, *arguments],
                stdin=stdin,
                capture_stdout=True,
                capture_stderr=True,
                check=False,
                cwd=self.directory,
                env={"PATH": "/usr/bin:/bin", "ETCDCTL_API": "3", "HOME": str(self.directory)},
            )
        assert done.returncode == 0, f"etcdctl {' '.join(arguments)}: {done.stderr.decode()}"
        return done.stdout

    async def dump(self, prefix: str) -> dict[bytes, bytes]:
        """Return what etcdctl says is under a prefix."""
        answer = json.loads(await self.ctl("get", prefix, "--prefix", "--write-out=json"))
        return {
            b64decode(kv["key"]): b64decode(kv.get("value", "")) for kv in answer.get("kvs", ())
        }

    async def revision(self) -> int:
        """Return the store's revision."""
        answer = json.loads(await self.ctl("get", "\x01", "--write-out=json"))
        return int(answer["header"]["revision"])

    async def enable_auth(self) -> None:
        """Turn authentication on; root's password is ROOT_PASSWORD."""
        await self.ctl("user", "add", f"root:{ROOT_PASSWORD}")
        await self.ctl("user", "grant-role", "root", "root")
        await self.ctl("auth", "enable")
        self._authenticated = True

    async def add_user(self, name: str, password: str, *prefixes: str) -> None:
        """Add a user who may read and write what is under the prefixes."""
        await self.ctl("user", "add", f"{name}:{password}")
        await self.ctl("role", "add", name)
        for prefix in prefixes:
            await self.ctl("role", "grant-permission", "--prefix=true", name, "readwrite", prefix)
        await self.ctl("user", "grant-role", name, name)


def _alone(name: str) -> list[str]:
    peer = "unix://peer:0"
    return [
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster={name}={peer}",
        # It need not wait long for others to speak up when it is started again.
        "--heartbeat-interval=50",
        "--election-timeout=250",
    ]


def version_of(programs: Binaries) -> str:
    """Return a program's version, such as "3.4.23"."""
    text = subprocess.run([programs.etcd, "--version"], capture_output=True, text=True, check=True)
    return text.stdout.split("\n", 1)[0].removeprefix("etcd Version: ").strip()
