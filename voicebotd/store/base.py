"""The interface of every repository: create, read, update and delete one kind of record.

Owns `BaseRepository`. Knows no database: `sql.py` fills it in.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

T = TypeVar("T")

DEFAULT_LIMIT = 1000
"""Records that `get_all` returns at most unless told: six months of history do not fit into one answer."""


class BaseRepository(ABC, Generic[T]):
    """Records of one kind. A record's id is the parts of its key in order: one string, or several.

    Every method raises `StorageError` where the database cannot do it. What a write has returned from is on the disk.
    """

    @abstractmethod
    async def get_by_id(self, *key: str) -> T | None:
        """Return the record, or None where there is none."""

    @abstractmethod
    async def get_all(self, *, limit: int = DEFAULT_LIMIT) -> list[T]:
        """Return up to `limit` records in the order natural to their kind."""

    @abstractmethod
    async def create(self, record: T) -> T:
        """Store a new record. Raises `StorageError` where its key is taken."""

    @abstractmethod
    async def update(self, record: T) -> T:
        """Overwrite the record of the same key. Raises `StorageError` where there is none."""

    @abstractmethod
    async def delete(self, *key: str) -> bool:
        """Remove the record and whatever belongs to it. Return whether it was there."""
