"""Envelopes and digests: what opens, and above all what does not."""

from itertools import combinations

import pytest

from ops.crypto import CannotOpen, KeyRing, SecretKey, key_id_of, same

OLD, NEW = SecretKey("old", b"o" * 32), SecretKey("new", b"n" * 32)
RING = KeyRing([NEW, OLD])
TEXT = b"a seed of 20 bytes !"


def test_an_envelope_opens_for_its_purpose_place_and_salt() -> None:
    for text in (b"", TEXT, bytes(range(256)) * 300):
        sealed = RING.seal(text, purpose="p", aad=b"row 1", salt=b"theirs")

        assert RING.open(sealed, purpose="p", aad=b"row 1", salt=b"theirs") == text


def test_two_envelopes_of_one_text_share_nothing_but_their_head() -> None:
    first, second = (RING.seal(TEXT, purpose="p") for _ in range(2))

    assert first[:5] == second[:5] == b"\x01\x03new"
    assert first[5:17] != second[5:17]
    assert first[17:] != second[17:]
    assert TEXT not in first


@pytest.mark.parametrize(
    "other",
    [{"purpose": "q"}, {"aad": b"row 2"}, {"aad": b""}, {"salt": b"mine"}, {"salt": b""}],
    ids=str,
)
def test_an_envelope_opens_nowhere_else(other: dict[str, str | bytes]) -> None:
    known: dict[str, str | bytes] = {"purpose": "p", "aad": b"row 1", "salt": b"theirs"}
    sealed = RING.seal(TEXT, **known)  # type: ignore[arg-type]

    with pytest.raises(CannotOpen):
        RING.open(sealed, **known | other)  # type: ignore[arg-type]


def test_an_envelope_opens_under_no_other_key_even_of_the_same_name() -> None:
    sealed = KeyRing([OLD]).seal(TEXT, purpose="p")

    for ring in (KeyRing([NEW]), KeyRing([SecretKey("old", b"x" * 32)])):
        with pytest.raises(CannotOpen):
            ring.open(sealed, purpose="p")


def test_after_a_rotation_the_first_key_writes_and_all_read() -> None:
    before = KeyRing([OLD]).seal(TEXT, purpose="p")

    after = RING.seal(TEXT, purpose="p")

    assert RING.open(before, purpose="p") == RING.open(after, purpose="p") == TEXT
    assert (RING.writer, RING.ids) == ("new", ("new", "old"))
    with pytest.raises(CannotOpen):
        KeyRing([OLD]).open(after, purpose="p")


def test_an_envelope_names_the_key_that_would_open_it() -> None:
    sealed = KeyRing([SecretKey("k20261122", b"k" * 32)]).seal(TEXT, purpose="p")

    assert key_id_of(sealed) == "k20261122"
    assert [key_id_of(sealed[:length]) for length in (0, 1, 2)] == ["", "", ""]


def test_a_cut_envelope_never_opens() -> None:
    sealed = RING.seal(TEXT, purpose="p")

    for length in range(len(sealed)):
        with pytest.raises(CannotOpen):
            RING.open(sealed[:length], purpose="p")
    with pytest.raises(CannotOpen):
        RING.open(sealed + b"\x00", purpose="p")


def test_an_envelope_with_one_bit_changed_never_opens() -> None:
    sealed = RING.seal(TEXT, purpose="p")

    for bit in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CannotOpen):
            RING.open(bytes(changed), purpose="p")


def test_a_head_cannot_be_stretched_into_the_place() -> None:
    sealed = RING.seal(TEXT, purpose="p", aad=b"new")

    with pytest.raises(CannotOpen):
        RING.open(b"\x01\x06newnew" + sealed[5:], purpose="p", aad=b"")


def test_derived_keys_are_the_same_in_every_process() -> None:
    digest = KeyRing([SecretKey("k", bytes(32))]).mac(b"message", purpose="purpose")

    # RFC 5869 with info "ostiary/1/purpose", then RFC 2104: changing it loses everybody's data.
    assert digest == KeyRing([SecretKey("other", bytes(32))]).mac(b"message", purpose="purpose")
    assert digest.hex() == ("3f75d67ae068e030463ba42606bd67ad633b14c2f1a6b55e7beccf56fa1bbf43")


def test_digests_differ_by_key_and_purpose_and_the_writing_one_is_first() -> None:
    digests = RING.macs(b"m", purpose="p")

    assert digests == [RING.mac(b"m", purpose="p", key_id=name) for name in ("new", "old")]
    assert RING.mac(b"m", purpose="p") == digests[0]
    every = [*digests, RING.mac(b"m", purpose="q"), RING.mac(b"n", purpose="p")]
    assert not any(same(left, right) for left, right in combinations(every, 2))
    assert same(digests[0], bytes(digests[0]))


def test_no_key_is_an_error_and_no_repr_shows_one() -> None:
    with pytest.raises(ValueError, match="SECRET_KEYS"):
        KeyRing([])

    assert "nnnn" not in repr(NEW) + repr(RING)
