"""``lochkit completion SHELL``: the script that makes a shell complete lochkit's command line."""

from typing import Any

import asyncclick as click
from asyncclick.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

__all__ = ["completion"]

SHELLS: dict[str, type[ShellComplete]] = {
    "bash": BashComplete,
    "zsh": ZshComplete,
    "fish": FishComplete,
}

HELP = """Print the script that completes lochkit's command line in SHELL.

\b
bash: lochkit completion bash > ~/.local/share/bash-completion/completions/lochkit
zsh:  lochkit completion zsh > "${fpath[1]}/_lochkit"
fish: lochkit completion fish > ~/.config/fish/completions/lochkit.fish
"""


def _print_script(shell: str, **_: Any) -> int:
    completer = SHELLS[shell](click.Command("lochkit"), {}, "lochkit", "_LOCHKIT_COMPLETE")
    # BashComplete's own source() first runs bash to learn its version; any bash of the last ten
    # years will do, and the shell that asks need not be the one that is found first.
    click.echo(ShellComplete.source(completer))
    return 0


completion = click.Command(
    "completion",
    params=[click.Argument(["shell"], type=click.Choice(list(SHELLS)))],
    callback=_print_script,
    help=HELP,
    short_help="Print the script for completion in bash, zsh or fish.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
