"""An agent: everything that owns, serves and looks after a host's datasets, put together."""

import logging
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import trio

from ..errors import ConfigError
from ..etcd.client import Client
from ..io.durable import forget_begun
from ..io.faults import telling
from ..io.lockfile import LockFile
from ..io.notify import Notifier
from ..io.peer_serve import PeerListener, ServeLimits, open_listener, serve_peers
from ..io.peer_tls import check_credentials
from ..runtime.supervisor import start
from .agent_board import Board, StatusFile
from .agent_jobs import JobSet
from .agent_notes import Notes
from .agent_policy import AgentPolicy, load_agent_policy
from .agent_publishing import lookup_of, publisher_of
from .agent_pusher import AgentPusher
from .agent_settings import AgentSettings
from .agent_site import Site, Unpublished
from .agent_status import STATUS_FILE, AgentStatus
from .agent_targets import Targets
from .errors import BadPolicy
from .host_types import ZfsHost
from .ledger import Ledger
from .locks import Turns
from .order_client import SERVICE as ORDERS
from .order_client import OrderClient
from .order_desk import OrderDesk
from .order_server import OrderServer
from .order_work import OrderWork
from .receiver import Receiver
from .stream_server import serve_streams
from .stream_watch import WatchMaker, ZfsWatch
from .work_queue import Claim, Work

__all__ = ["Agent"]

log = logging.getLogger(__name__)

_ORDER_LIMITS: Final = ServeLimits(connections=512, per_address=256)
_RECEIVES: Final = 4096
"""Turns of receives at once; how many there are is for the `Receiver` to say."""
_LAST_WORD: Final = 1.0  # seconds


class Agent:
    """One agent, from its settings to its end.

    Args:
        settings: see there.
        host: the ZFS of this host; borrowed.
        etcd: where to tell; exactly if the settings say what. Borrowed.
        notifier: the service manager.
        watch: what looks at the streams of other hosts; see `Receiver`.
        clock: seconds since 1970.

    Attributes:
        board: how everything stands.
    """

    def __init__(
        self,
        settings: AgentSettings,
        host: ZfsHost,
        etcd: Client | None = None,
        *,
        notifier: Notifier | None = None,
        watch: WatchMaker | None = ZfsWatch,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._host = host
        self._notifier = notifier or Notifier()
        self._followed = AgentPolicy()
        self._reload = trio.Event()
        started = clock()
        first = AgentStatus(
            host=settings.host,
            pid=os.getpid(),
            started=started,
            policy=settings.policy or "",
            etcd="off" if settings.etcd is None else "away: not reached yet",
        )
        self.board = Board(first, clock=clock)
        turns = Turns(
            {
                Work.TAKE: settings.streams,
                Work.SEND: 4
                * settings.streams,  # the streams within them have a limit of their own
                Work.RECEIVE: _RECEIVES,
                Work.DESTROY: settings.streams,
            }
        )
        self._receiver = Receiver(
            host,
            streams=settings.streams,
            watch=watch,
            guard=lambda dataset: turns.turn(Work.RECEIVE, (Claim(dataset=dataset),)),
        )
        targets = Targets(
            self._receiver,
            hosts=lambda: self._followed.policy.hosts,
            lookup=lookup_of(settings, etcd),
            speaks=settings.speaks,
            credentials=settings.credentials,
            allow_public=settings.allow_public,
        )
        self._publisher = publisher_of(settings, host, etcd, self.board, started)
        pusher = AgentPusher(host, targets, self.board, streams=settings.streams, clock=clock)
        self._site = Site(
            host=host,
            turns=turns,
            board=self.board,
            pusher=pusher,
            publishing=self._publisher or Unpublished(),
            clock=clock,
        )
        self._notes = Notes(settings.state)
        orders = OrderClient(settings.credentials, allow_public=settings.allow_public)
        self._jobs = JobSet(self._site, self._notes, targets, orders)
        self._status = StatusFile(settings.state / STATUS_FILE, self.board)

    def hang_up(self) -> None:
        """Read the policy anew, and look at everything anew."""
        self._reload.set()

    def tell_stopping(self) -> None:
        """This is the end."""
        self.board.say(state="stopping")
        self._notifier.stopping()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Be the agent of this host until cancelled.

        Raises:
            ConfigError: the policy, a certificate, a port or the state directory can not be used.
            TransientError: another agent has the state directory.
            ExceptionGroup: the same, later.
        """
        async with self._state():
            followed = await self._load()
            self._check_credentials()
            async with trio.open_nursery() as nursery:
                await start(nursery, self._status)
                if self._settings.listen is not None:
                    await self._serve(nursery, self._settings.listen)
                if self._publisher is not None:
                    await start(nursery, self._publisher)
                await start(nursery, self._jobs)
                self._follow(followed)
                nursery.start_soon(self._reload_when_asked)
                nursery.start_soon(self._feed_watchdog)
                self.board.say(state="ready")
                self._notifier.ready(f"{len(followed.jobs_of(self._settings.host))} jobs")
                task_status.started()
                await trio.sleep_forever()

    async def once(self) -> bool:
        """Do what is due of all jobs, once; whether all went well. What did not has been logged.

        Raises:
            ConfigError: see `run`; or there is nothing to do.
            TransientError: another agent has the state directory.
        """
        async with self._state():
            self._followed = await self._load()
            self._check_credentials()
            jobs = self._followed.jobs_of(self._settings.host)
            if not jobs:
                raise ConfigError(f"{self._settings.policy} has no job for {self._settings.host}")
            return await self._jobs.once(jobs)

    @asynccontextmanager
    async def _state(self) -> AsyncIterator[None]:
        """The state directory is ours; when the block ends, the status says that we have."""
        directory = self._settings.state
        lock = LockFile(directory / "lock")

        def begin() -> None:
            with telling("can not make", directory):
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock.acquire()
            forget_begun(directory / STATUS_FILE)

        await trio.to_thread.run_sync(begin)
        try:
            await self._notes.open()
            yield
        finally:
            self.board.say(state="stopped")
            with trio.move_on_after(_LAST_WORD, shield=True):
                await self._status.write()
            lock.release()

    async def _load(self) -> AgentPolicy:
        settings = self._settings
        return await trio.to_thread.run_sync(
            partial(
                load_agent_policy, settings.policy, settings.clients, plaintext=settings.plaintext
            )
        )

    def _follow(self, followed: AgentPolicy) -> None:
        for warning in followed.warnings:
            log.warning("%s", warning)
        if self._settings.plaintext and followed.permits.clients:
            log.warning(
                "clients with certificates are not known in plain text: only 'anonymous' is"
            )
        if followed.policy.jobs and not followed.jobs_of(self._settings.host):
            log.warning(
                "the policy has no job for host %s: is that its name there (--host)?",
                self._settings.host,
            )
        self._followed = followed
        self._jobs.follow(followed.jobs_of(self._settings.host))

    async def _reload_when_asked(self) -> None:
        while True:
            await self._reload.wait()
            self._reload = trio.Event()
            self._notifier.reloading()
            try:
                followed = await self._load()
            except BadPolicy as exc:
                log.error("the policy is left as it was: %s", exc)
                self.board.say(policy_error=str(exc))
            else:
                self.board.say(policy_error="")
                self._follow(followed)
                log.info("the policy was read anew")
            self._jobs.poke()
            self._site.publishing.changed()
            self._notifier.ready(f"{len(self._followed.jobs_of(self._settings.host))} jobs")

    async def _serve(self, nursery: trio.Nursery, address: str) -> None:
        """Let others give orders and send streams."""
        settings = self._settings
        ledger = Ledger(settings.state / "orders", clock=self._site.clock)
        desk = OrderDesk(OrderWork(self._site), ledger, self.board)
        await start(nursery, desk)
        orders = await open_listener(address, settings.orders_port)
        streams = await open_listener(address, settings.streams_port)
        server = OrderServer(desk, lambda: self._followed.permits)
        security = settings.server_security
        await nursery.start(
            partial(
                serve_peers,
                server.serve,
                orders,
                service=ORDERS,
                security=security,
                limits=_ORDER_LIMITS,
            )
        )
        await nursery.start(
            partial(
                serve_streams,
                self._receiver,
                lambda name: self._followed.permits.of(name),
                streams,
                security=security,
                on_received=self._received,
            )
        )
        if self._publisher is not None:
            self._publisher.listening(orders=orders.port, streams=streams.port)
        self.board.say(listening={"orders": _shown(orders), "streams": _shown(streams)})

    def _received(self, dataset: str) -> None:
        self._jobs.received(dataset)
        self._site.publishing.changed()

    def _check_credentials(self) -> None:
        credentials = self._settings.credentials
        if credentials is not None:
            check_credentials(credentials)
        elif self._settings.plaintext:
            log.warning("what is sent to other hosts goes in plain text: see --insecure-plaintext")

    async def _feed_watchdog(self) -> None:
        seconds = self._notifier.watchdog_seconds
        while seconds is not None:
            self._notifier.watchdog()
            await trio.sleep(max(seconds / 2, 0.02))


def _shown(listener: PeerListener) -> str:
    host = f"[{listener.address}]" if ":" in listener.address else listener.address
    return f"{host}:{listener.port}"
