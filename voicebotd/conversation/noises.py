"""The items of noises: each is deleted from the conversation once, as soon as it exists, and stays known as a noise."""

from __future__ import annotations


class Noises:
    """Knows items by their ids."""

    MAX_REMEMBERED = 64
    """Their transcripts come within seconds; the oldest is forgotten first."""

    def __init__(self) -> None:
        self._deleted: dict[str, bool] = {}

    def __contains__(self, item_id: str) -> bool:
        return item_id in self._deleted

    def add(self, item_id: str) -> None:
        """The service will make an item of this noise."""
        self._deleted.setdefault(item_id, False)
        if len(self._deleted) > self.MAX_REMEMBERED:
            del self._deleted[next(iter(self._deleted))]

    def exists(self, item_id: str) -> bool:
        """An item exists; say whether it is to be deleted now."""
        due = self._deleted.get(item_id) is False
        if due:
            self._deleted[item_id] = True
        return due

    def forget(self, item_id: str) -> None:
        """It is no noise's."""
        self._deleted.pop(item_id, None)
