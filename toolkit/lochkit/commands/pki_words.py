"""The words of ``lochkit pki``'s command lines."""

from collections.abc import Sequence

from ..options import words_and_command

__all__ = ["one_word", "the_words"]


def the_words(words: Sequence[str], number: int, what: str, usage: str) -> Sequence[str]:
    """So many words, none of them empty.

    Raises:
        ValueError: there are others.
    """
    before, after = words_and_command(tuple(words))
    found = (*before, *after)
    if len(found) != number or not all(found):
        raise ValueError(f"name {what}: lochkit pki {usage}")
    return found


def one_word(words: Sequence[str], what: str, usage: str) -> str:
    """The only word.

    Raises:
        ValueError: there is none, or more than one.
    """
    return the_words(words, 1, what, usage)[0]
