"""Where the copy of a dataset has its place.

A job with one root: the target takes the root's place. ``ssd/pg`` to ``bulk/pg`` brings
``ssd/pg/x`` to ``bulk/pg/x``. A job with several: each dataset has its whole name below the target,
so that roots of several pools never meet: ``ssd/pg`` and ``hdd/pg`` to ``bulk/web1`` are at
``bulk/web1/ssd/pg`` and ``bulk/web1/hdd/pg``. A second root thus moves the place of the first; the
planner then finds its copy under the old name and says so, rather than send all of it again.
"""

import re
from collections.abc import Collection
from typing import Final

from .errors import BadPolicy
from .names import check_dataset, is_within, moved
from .policy_types import Selection
from .selecting import is_excluded

__all__ = ["aside_name", "check_mapping", "is_aside", "source_name", "target_name"]

_ASIDE: Final = re.compile(r"\.aside-[0-9]+(?=/|$)")


def target_name(source: str, selection: Selection, target: str) -> str:
    """The name of the copy of `source`.

    Raises:
        BadName: no dataset can be called so, or `source` is not one of the selection.
    """
    root = _only_root(selection)
    if root is not None:
        return moved(source, root, target)
    return check_dataset(f"{target}/{source}")


def source_name(copy: str, selection: Selection, target: str) -> str | None:
    """The name of the dataset whose place at the target is `copy`; None: it is nobody's place."""
    if not is_within(copy, target):
        return None
    root = _only_root(selection)
    if root is not None:
        return root + copy[len(target) :]
    name = copy[len(target) + 1 :]
    roots = selection.roots
    if selection.recursive:
        return name if any(is_within(name, one) for one in roots) else None
    return name if name in roots else None


def check_mapping(selection: Selection, target: str) -> None:
    """Make sure that datasets of one host are not replicated onto, or into, themselves.

    Raises:
        BadPolicy: a root is the target, or below it; or the target is below a root that is
            replicated with all that is below it, and is not excluded.
    """
    for root in selection.roots:
        if is_within(root, target):
            raise BadPolicy(f"{root} can not be replicated to {target}: it is there already")
        below = selection.recursive and is_within(target, root)
        if below and not is_excluded(target, selection):
            raise BadPolicy(
                f"{root}, with all below it, can not be replicated to {target}, which is below it:"
                " it would copy its own copies. Exclude the target, or choose another"
            )


def aside_name(dataset: str, taken: Collection[str]) -> str:
    """A name for a copy that is to make room and be kept: ``dataset.aside-1``, or a higher number.

    Raises:
        BadName: no dataset can be called so.
    """
    number = 1
    while (name := f"{dataset}.aside-{number}") in taken:
        number += 1
    return check_dataset(name)


def is_aside(dataset: str) -> bool:
    """Whether a dataset, or one above it, was renamed to make room."""
    return _ASIDE.search(dataset) is not None


def _only_root(selection: Selection) -> str | None:
    roots = set(selection.roots)
    return next(iter(roots)) if len(roots) == 1 else None
