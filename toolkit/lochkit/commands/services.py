"""``lochkit services``: look at the service registry, and put it in order."""

from typing import Final

from ..options import Mode, Subcommand
from .services_list import run
from .services_options import InstancesOptions

__all__ = ["SUBCOMMAND"]

HELP: Final = """\
Look at the service registry, follow it, and put it in order.

Without a mode, list the services: as lochkit services list.
"""

_MODES: Final = {
    "list": ("services_list", "Which services there are."),
    "show": ("services_show", "Everything about one service."),
    "url": ("services_url", "Where a service is reached."),
    "watch": ("services_watch", "Print what happens, or run a command with the whole view."),
    "deregister": ("services_deregister", "Take instances out, or what they have left behind."),
    "rotate-credentials": (
        "services_rotate_credentials",
        "Give a public service a new password, and see it adopted.",
    ),
    "doctor": ("services_doctor", "Look for what is wrong in the registry."),
}

SUBCOMMAND = Subcommand(
    options=InstancesOptions,
    run=run,
    help=HELP,
    modeless="list",
    modes={
        name: Mode(module=f"lochkit.commands.{module}", short_help=text)
        for name, (module, text) in _MODES.items()
    },
)
