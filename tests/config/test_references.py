"""A secret is read where it is kept, when it is needed, and is in no error."""

from __future__ import annotations

import pytest

from voicebotd.config.references import MissingSecretError, is_secret, read


def test_each_kind_of_place_is_read(tmp_path):
    key = tmp_path / "key"
    key.write_text("Bearer abc\n")
    key.chmod(0o600)
    assert read(f"file:{key}").reveal() == "Bearer abc"
    assert read("credential:key", {"CREDENTIALS_DIRECTORY": str(tmp_path)}).reveal() == "Bearer abc"
    assert read("env:TOWN", {"TOWN": "abc"}).reveal() == "abc"
    assert read("text:a b").reveal() == "a b"


def test_what_is_no_secret_is_told_from_one():
    assert not is_secret("text:x")
    assert is_secret("env:X")


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        (b"abc", 0o644, "every user of this machine can read it"),
        (b"a\nb", 0o600, "must be one line of text"),
        (b"", 0o600, "must be one line of text"),
        (b"\xff", 0o600, "not text"),
    ],
)
def test_a_file_that_cannot_be_used_says_why_and_not_what_is_in_it(tmp_path, content, mode, said):
    key = tmp_path / "key"
    key.write_bytes(content)
    key.chmod(mode)
    with pytest.raises(MissingSecretError, match=said):
        read(f"file:{key}")


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("file:/nowhere/key", "cannot be read: No such file"),
        ("env:NOWHERE", "no such variable"),
        ("credential:key", "systemd gave no credentials"),
    ],
)
def test_a_place_that_is_not_there_is_named(reference, said):
    with pytest.raises(MissingSecretError, match=said):
        read(reference, {})
