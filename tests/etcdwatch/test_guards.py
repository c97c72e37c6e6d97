import pytest

from lochkit.etcdwatch.guards import Guards, NotYet, RequiredMissing, Shrunk, TooFew


def keys(*names: str) -> set[bytes]:
    return {name.encode() for name in names}


def test_no_guard_refuses_nothing() -> None:
    assert Guards().refusal(set(), revision=1, before=1000) is None


def test_too_few() -> None:
    guards = Guards(min_keys=2)
    refusal = guards.refusal(keys("/a"), revision=1, before=0)
    assert refusal == TooFew(count=1, wanted=2)
    assert str(refusal) == "1 keys are fewer than --min-keys 2"
    assert guards.refusal(keys("/a", "/b"), revision=1, before=0) is None


def test_required() -> None:
    guards = Guards(required=("/a", "/dir/"))
    assert guards.refusal(keys("/b"), revision=1, before=0) == RequiredMissing(keys=("/a", "/dir/"))
    assert guards.refusal(keys("/a", "/dirt/x"), revision=1, before=0) == RequiredMissing(
        keys=("/dir/",)
    )
    assert guards.refusal(keys("/a", "/dir/x"), revision=1, before=0) is None
    assert guards.refusal(keys("/a", "/dir/"), revision=1, before=0) is None


@pytest.mark.parametrize(
    ("before", "count", "refused"),
    [
        (0, 0, False),
        (10, 5, False),
        (10, 4, True),
        (10, 20, False),
        (1, 0, True),
        (3, 2, False),
        (3, 1, True),
    ],
)
def test_shrink(before: int, count: int, refused: bool) -> None:
    names = keys(*(f"/{n}" for n in range(count)))
    refusal = Guards(max_shrink_percent=50).refusal(names, revision=1, before=before)
    wanted = Shrunk(before=before, count=count, allowed_percent=50) if refused else None
    assert refusal == wanted


def test_no_shrink_at_all() -> None:
    guards = Guards(max_shrink_percent=0)
    assert guards.refusal(keys("/a"), revision=1, before=1) is None
    assert str(guards.refusal(keys("/a"), revision=1, before=2)) == (
        "1 keys of 2 are left, which is a loss of more than --max-shrink 0 percent"
    )


def test_revision() -> None:
    guards = Guards(above_revision=7)
    assert guards.refusal(set(), revision=7, before=0) == NotYet(revision=7, wanted=7)
    assert guards.refusal(set(), revision=8, before=0) is None
