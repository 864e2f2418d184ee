"""A repository over one table whose columns are the fields of a frozen dataclass.

Owns the SQL of create, read, update, delete and save. Knows no particular record: `conversations.py` says what is kept.
"""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

import aiosqlite

from voicebotd.store.base import DEFAULT_LIMIT, BaseRepository
from voicebotd.store.database import Database
from voicebotd.store.faults import StoreError

R = TypeVar("R")  # a dataclass; its fields are the columns


class SqlRepository(BaseRepository[R], Generic[R]):
    """CRUD for `record` in `table`. A subclass gives the class variables and, where a column's type differs, `_decode`.

    The SQL is put together from those names only; values always travel as parameters.
    """

    record: ClassVar[type[Any]]
    table: ClassVar[str]
    key: ClassVar[tuple[str, ...]]
    """The columns that identify a record, in the order in which the methods take them."""
    order: ClassVar[str]
    """ORDER BY of `get_all`."""
    on_save: ClassVar[Mapping[str, str]] = {}
    """Columns that `save` does not just overwrite: column → SQL over `table.column` (stored) and `excluded.column`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.columns = columns = [field.name for field in dataclasses.fields(self.record)]
        rest = [column for column in columns if column not in self.key]
        where = " AND ".join(f"{column} = :{column}" for column in self.key)
        values = ", ".join(f":{column}" for column in columns)
        assignments = ", ".join(f"{column} = :{column}" for column in rest)
        merges = ", ".join(f"{column} = {self.on_save.get(column, f'excluded.{column}')}" for column in rest)
        # S608 warns of SQL made from text; all of this text is in the source.
        self._where_key = f"WHERE {where}"
        self._from = f"SELECT {', '.join(columns)} FROM {self.table}"  # noqa: S608
        self._insert = f"INSERT INTO {self.table} ({', '.join(columns)}) VALUES ({values})"  # noqa: S608
        self._update = f"UPDATE {self.table} SET {assignments} {self._where_key}"  # noqa: S608
        self._delete = f"DELETE FROM {self.table} {self._where_key}"  # noqa: S608
        self._save = f"{self._insert} ON CONFLICT ({', '.join(self.key)}) DO UPDATE SET {merges}"

    async def get_by_id(self, *key: str) -> R | None:
        found = await self._select(self._where_key, self._named(key))
        return found[0] if found else None

    async def get_all(self, *, limit: int = DEFAULT_LIMIT) -> list[R]:
        return await self._select(f"ORDER BY {self.order} LIMIT :limit", {"limit": limit})

    async def create(self, record: R) -> R:
        async with self._database.transaction() as connection:
            await connection.execute_fetchall(self._insert, _encode(record))
        return record

    async def update(self, record: R) -> R:
        async with self._database.transaction() as connection:
            cursor = await connection.execute(self._update, _encode(record))
            if cursor.rowcount == 0:
                raise self._not_found(tuple(getattr(record, column) for column in self.key))
        return record

    async def delete(self, *key: str) -> bool:
        async with self._database.transaction() as connection:
            cursor = await connection.execute(self._delete, self._named(key))
            return cursor.rowcount > 0

    async def save(self, record: R) -> R:
        """Create the record, or overwrite what is stored under its key."""
        async with self._database.transaction() as connection:
            await self.save_within(connection, record)
        return record

    async def save_within(self, transaction: aiosqlite.Connection, record: R) -> None:
        """`save` as a part of the caller's transaction; raises `sqlite3.Error`, as everything does inside one."""
        await transaction.execute_fetchall(self._save, _encode(record))

    async def _select(self, clauses: str, parameters: Mapping[str, Any]) -> list[R]:
        rows = await self._database.fetch(f"{self._from} {clauses}", parameters)
        return [self._decode(row) for row in rows]

    def _decode(self, row: sqlite3.Row) -> R:
        decoded: R = self.record(**{name: row[name] for name in self.columns})
        return decoded

    def _named(self, key: tuple[str, ...]) -> dict[str, str]:
        if len(key) != len(self.key):
            raise TypeError(f"{self.table} are identified by {self.key}, not by {len(key)} parts")
        return dict(zip(self.key, key, strict=True))

    def _not_found(self, key: tuple[str, ...]) -> StoreError:
        return StoreError(f"{self.table} has no {' / '.join(key)}", fault="not_found")


def _encode(record: Any) -> dict[str, Any]:
    return {field.name: _storable(getattr(record, field.name)) for field in dataclasses.fields(record)}


def _storable(value: Any) -> Any:
    # JSON can carry half a surrogate pair ("\ud800"), which no database takes as text: one bad character must not cost
    # the sentence that it stands in.
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
