"""Encrypted datasets: raw streams follow raw ones, and keys are where they are needed."""

import pytest

from lochkit.zfs.capabilities import Capabilities
from lochkit.zfs.model import Dataset
from lochkit.zfs.plan_types import Conflict, ConflictReason, Full, Incremental, Resume, ResumeToken

from .plan_language import FUSE, MODERN, copy, dataset, plan

SOURCE = dataset("@a,1 @b,2", encryption_root="tank/a")
LOCKED = dataset("@a,1 @b,2", encryption_root="tank", key_loaded=False)
RAW_COPY = copy("@a,1", encryption_root="bulk/a", key_loaded=False)
INHERITED = copy("@a,1", encryption_root="bulk")
PLAIN = copy("@a,1")


def refused(source: Dataset, target: Dataset | None, **wishes: object) -> str:
    verdict = plan(source, target, **wishes)  # type: ignore[arg-type]
    assert isinstance(verdict, Conflict), verdict
    assert verdict.reason is ConflictReason.ENCRYPTION
    return verdict.message


@pytest.mark.parametrize("source", [SOURCE, LOCKED])
def test_encrypted_datasets_are_sent_raw_with_or_without_their_key(source: Dataset) -> None:
    full = plan(source, None)
    assert isinstance(full, Full)
    assert full.raw
    following = plan(source, RAW_COPY)
    assert isinstance(following, Incremental)
    assert following.raw


def test_a_dataset_that_is_not_encrypted_is_not_sent_raw() -> None:
    full = plan("@a,1", None, raw=True)
    assert isinstance(full, Full)
    assert not full.raw


def test_the_key_must_be_there_to_send_plain_data() -> None:
    assert "zfs load-key tank, or send it raw" in refused(LOCKED, None, raw=False)
    full = plan(SOURCE, None, raw=False)
    assert isinstance(full, Full)
    assert not full.raw


def test_raw_does_not_follow_plain_data() -> None:
    assert "is not encrypted: it was sent as plain data before" in refused(SOURCE, PLAIN)


def test_plain_data_does_not_follow_raw() -> None:
    assert "has a key of its own, as a raw copy has" in refused(SOURCE, RAW_COPY, raw=False)
    given = plan(
        SOURCE,
        copy("@a,1", encryption_root="bulk/a"),
        raw=False,
        set_properties={"encryption": "on", "keyformat": "raw"},
    )
    assert isinstance(given, Incremental)


def test_plain_data_into_an_encrypted_parent_needs_its_key() -> None:
    assert isinstance(plan(SOURCE, INHERITED, raw=False), Incremental)
    locked = copy("@a,1", encryption_root="bulk", key_loaded=False)
    for source in (SOURCE, dataset("@a,1 @b,2")):
        assert "zfs load-key bulk at the target" in refused(source, locked, raw=False)


@pytest.mark.parametrize(
    ("source_caps", "target_caps", "word"),
    [(FUSE, MODERN, "can not send it raw"), (MODERN, FUSE, "has no encryption")],
)
def test_both_ends_must_know_raw_streams(
    source_caps: Capabilities, target_caps: Capabilities, word: str
) -> None:
    message = refused(SOURCE, None, source_caps=source_caps, target_caps=target_caps)
    assert word in message


def test_encrypted_datasets_and_placeholders_exclude_each_other() -> None:
    placeholder = copy("", placeholder=True)
    assert "into a new dataset only" in refused(SOURCE, placeholder)
    encrypted = copy("", placeholder=True, encryption_root="bulk")
    assert "replaces no encrypted dataset" in refused(dataset("@a,1"), encrypted)


def test_nothing_to_send_is_no_conflict() -> None:
    assert not isinstance(plan(LOCKED, copy("@b,2"), raw=False), Conflict)


def test_the_beginning_of_a_raw_stream_is_not_in_its_own_way() -> None:
    beginning = copy("", encryption_root="bulk/a", key_loaded=False, resume_token="1-t")
    token = ResumeToken(token="1-t", to_guid=1, to_name="tank/a@a", raw=True)
    assert isinstance(plan(SOURCE, beginning, token=token), Resume)
    anew = plan(SOURCE, beginning)
    assert isinstance(anew, Full)
    assert (anew.raw, anew.abort_receive, anew.rollback) == (True, True, False)
