"""The rules of Go, as far as a game record needs them: captures, simple ko, legal moves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError

BLACK, WHITE, EMPTY = 1, -1, 0
NAMES = {BLACK: "black", WHITE: "white"}
Point = tuple[int, int]


class GoBoard:
    """A position: stones, and the point that ko forbids.

    Points are (row, column), from 0. Suicide is forbidden. The ko rule is the simple one: a stone
    that has just taken a single stone may not itself be taken by the next move.

    Args:
        size: points along an edge.

    Attributes:
        ko: the point where the next player may not play, or None.

    Example:
        >>> board = GoBoard(5)
        >>> for colour, point in [(1, (0, 1)), (-1, (0, 0)), (1, (1, 0))]:
        ...     taken = board.play(colour, point)
        >>> taken, int(board.stones[0, 0])
        ([(0, 0)], 0)
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.ko: Point | None = None
        self._colour = dict.fromkeys(np.ndindex(size, size), EMPTY)
        self._beside = {
            (i, j): [
                p for p in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)) if p in self._colour
            ]
            for i, j in self._colour
        }

    @property
    def stones(self) -> NDArray[np.int8]:
        """(size, size): 1 black, −1 white, 0 empty."""
        return np.array(list(self._colour.values()), np.int8).reshape(self.size, self.size)

    def group(self, point: Point) -> tuple[set[Point], set[Point]]:
        """The stones connected to the one at a point, and their liberties."""
        colour = self._colour[point]
        stones, liberties, waiting = {point}, set(), [point]
        while waiting:
            for neighbour in self._beside[waiting.pop()]:
                found = self._colour[neighbour]
                if found == EMPTY:
                    liberties.add(neighbour)
                elif found == colour and neighbour not in stones:
                    stones.add(neighbour)
                    waiting.append(neighbour)
        return stones, liberties

    def setup(self, black: Iterable[Point], white: Iterable[Point]) -> None:
        """Put stones on the board before the first move.

        Raises:
            DataError: off the board, on another stone, or without liberties.
        """
        placed = [(point, BLACK) for point in black] + [(point, WHITE) for point in white]
        for point, colour in placed:
            if self._colour.get(point) != EMPTY:
                raise DataError(f"Go: a {NAMES[colour]} stone cannot be set up at {point}")
            self._colour[point] = colour
        for point, colour in placed:
            if not self.group(point)[1]:
                raise DataError(f"Go: the {NAMES[colour]} stone at {point} has no liberty")

    def play(self, colour: int, point: Point | None) -> list[Point]:
        """Play a stone, or pass (None). Returns the points whose stones it takes.

        Raises:
            DataError: off the board, occupied, ko, or suicide; the board stays as it was.
        """
        if point is None:
            self.ko = None
            return []
        if self._colour.get(point) != EMPTY:
            fault = "occupied" if point in self._colour else "off the board"
            raise DataError(f"Go: {NAMES[colour]} cannot play at {point}: {fault}")
        if point == self.ko:
            raise DataError(f"Go: {NAMES[colour]} cannot play at {point}: ko")
        self._colour[point] = colour
        taken: set[Point] = set()
        for neighbour in self._beside[point]:
            if self._colour[neighbour] == -colour and neighbour not in taken:
                stones, liberties = self.group(neighbour)
                if not liberties:
                    taken |= stones
        for stone in taken:
            self._colour[stone] = EMPTY
        own, liberties = self.group(point)
        if not liberties:
            self._colour[point] = EMPTY
            raise DataError(f"Go: {NAMES[colour]} cannot play at {point}: suicide")
        single = len(taken) == len(own) == len(liberties) == 1
        self.ko = next(iter(taken)) if single else None
        return sorted(taken)

    def liberties(self) -> NDArray[np.int64]:
        """(size, size): at each stone, how many liberties its group has; 0 at empty points."""
        counts = np.zeros((self.size, self.size), np.int64)
        seen: set[Point] = set()
        for point, colour in self._colour.items():
            if colour != EMPTY and point not in seen:
                stones, liberties = self.group(point)
                seen |= stones
                for stone in stones:
                    counts[stone] = len(liberties)
        return counts

    def legal(self, colour: int, liberties: NDArray[Any] | None = None) -> NDArray[np.bool_]:
        """(size, size): where a colour may play.

        Args:
            colour: BLACK or WHITE.
            liberties: what `liberties()` gave, if it is known already.
        """
        counts = (self.liberties() if liberties is None else liberties).tolist()
        allowed = np.zeros((self.size, self.size), bool)
        for point, found in self._colour.items():
            if found == EMPTY and point != self.ko:
                allowed[point] = any(
                    self._colour[i, j] == EMPTY
                    or (self._colour[i, j] == colour and counts[i][j] > 1)
                    or (self._colour[i, j] == -colour and counts[i][j] == 1)
                    for i, j in self._beside[point]
                )
        return allowed
