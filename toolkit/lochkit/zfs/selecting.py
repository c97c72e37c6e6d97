"""Which datasets of an inventory a job is about."""

import re
from collections.abc import Callable
from fnmatch import translate

from .model import Dataset, Inventory
from .names import is_within, parents
from .policy_types import Selection

__all__ = ["is_excluded", "missing_roots", "select"]


def select(selection: Selection, inventory: Inventory) -> tuple[Dataset, ...]:
    """The selected datasets, in the order of the inventory: parents first.

    A dataset that is excluded is left out with all that is below it, a root too. Only what the
    roots select is asked: a pattern that matches something above a root leaves nothing out.
    """
    roots = frozenset(selection.roots)
    excluded = _excluded(selection.exclude)
    out: set[str] = set()
    selected = []
    for name, dataset in inventory.datasets.items():
        above = parents(name)
        if not (name in roots or (selection.recursive and not roots.isdisjoint(above))):
            continue
        if not out.isdisjoint(above) or excluded(name):
            out.add(name)
            continue
        selected.append(dataset)
    return tuple(selected)


def missing_roots(selection: Selection, inventory: Inventory) -> tuple[str, ...]:
    """The roots that are not there, in the order of the selection."""
    return tuple(name for name in selection.roots if name not in inventory.datasets)


def is_excluded(name: str, selection: Selection) -> bool:
    """Whether a dataset at or below a root is left out, or one above it is, down from the root."""
    excluded = _excluded(selection.exclude)
    return any(
        excluded(one)
        for one in (*parents(name), name)
        if any(is_within(one, root) for root in selection.roots)
    )


def _excluded(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    if not patterns:
        return lambda name: False
    compiled = re.compile("|".join(translate(pattern) for pattern in patterns))
    return lambda name: compiled.match(name) is not None
