"""Games of Go on a 9×9 board, as positions and the moves that were played there.

500 games that GNU Go 3.8 (level 1) played against itself, each from two black and two white stones
on random points; `scripts/make_go_games.py` recorded them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, OptionError
from . import shipped
from .dataset import Dataset
from .go_board import BLACK, WHITE, GoBoard, Point

FILE = "go_games_9x9.sgf"
SPLITS = {"train": slice(0, 400), "validation": slice(400, 450), "test": slice(450, 500)}

PLANES = (
    "own stones",
    "their stones",
    "empty",
    "1 liberty",
    "2 liberties",
    "3 liberties",
    "4 or more liberties",
    "last move",
    "ko",
    "legal",
    "black to play",
    "ones",
)
"""What the planes of a position show; "own" is the player to move."""


@dataclass(frozen=True)
class GoGame:
    """A game record.

    Attributes:
        size: of the board.
        black, white: stones on the board before the first move.
        moves: (colour, point) one after another; point None is a pass.
        result: as the record says, such as "B+2.5"; "" if it says nothing.
    """

    size: int
    black: tuple[Point, ...]
    white: tuple[Point, ...]
    moves: tuple[tuple[int, Point | None], ...]
    result: str = ""

    def positions(self) -> Iterator[tuple[NDArray[np.float32], Point]]:
        """The planes before each move, and the point that was played; passes are left out.

        Raises:
            DataError: a move against the rules.
        """
        board = GoBoard(self.size)
        board.setup(self.black, self.white)
        last: Point | None = None
        for number, (colour, point) in enumerate(self.moves, start=1):
            if point is not None:
                yield planes(board, colour, last), point
            try:
                board.play(colour, point)
            except DataError as error:
                raise DataError(f"move {number}: {error}") from error
            last = point


def planes(board: GoBoard, colour: int, last: Point | None = None) -> NDArray[np.float32]:
    """A position as the player to move sees it: (12, size, size), zeros and ones, as `PLANES` says.

    Args:
        board: the position.
        colour: of the player to move.
        last: where the other player has just played, if anywhere.

    Example:
        >>> board = GoBoard(9)
        >>> board.play(BLACK, (4, 4))
        []
        >>> view = planes(board, WHITE, last=(4, 4))
        >>> [name for name, plane in zip(PLANES, view, strict=True) if plane[4, 4]]
        ['their stones', '4 or more liberties', 'last move', 'ones']
    """
    stones, liberties = board.stones, board.liberties()
    view = np.zeros((len(PLANES), board.size, board.size), np.float32)
    view[0], view[1], view[2] = stones == colour, stones == -colour, stones == 0
    view[3], view[4], view[5] = liberties == 1, liberties == 2, liberties == 3
    view[6] = liberties >= 4
    for plane, point in ((7, last), (8, board.ko)):
        if point is not None:
            view[plane][point] = 1
    view[9] = board.legal(colour, liberties)
    view[10] = colour == BLACK
    view[11] = 1
    return view


def go_games(split: Literal["train", "validation", "test"] = "train") -> Dataset:
    """Positions of 9×9 games that GNU Go played against itself, and its moves there.

    Args:
        split: "train" (400 games, 14,711 positions), "validation" or "test" (50 games each).
            All positions of a game are in one split.

    Returns:
        A `Dataset`: inputs (n, 12, 9, 9) float32, the planes that `PLANES` names; labels (n,)
        int64, the move as row·9 + column.

    Raises:
        OptionError: another split.
        DataError: the file is missing or damaged, or sgfmill is not installed.
    """
    if split not in SPLITS:
        raise OptionError(f"go_games: split={split!r} is not one of {', '.join(SPLITS)}")
    path = shipped.FOLDER / FILE
    games = read_go_games(path)
    if len(games) != SPLITS["test"].stop:
        raise shipped.damaged(path, f"{len(games)} games")
    return go_positions(games[SPLITS[split]], f"Go games {split}")


def go_positions(games: Sequence[GoGame], name: str = "Go games") -> Dataset:
    """All positions of some games on boards of one size; see `go_games`.

    Raises:
        DataError: no moves, boards of several sizes, or a move against the rules; names the game,
            counted from 1.
    """
    sizes = {game.size for game in games}
    if len(sizes) != 1:
        raise DataError(f"{name}: games must be on boards of one size, got {sorted(sizes)}")
    (size,) = sizes
    views, moves = [], []
    for number, game in enumerate(games, start=1):
        try:
            for view, (row, column) in game.positions():
                views.append(view)
                moves.append(row * size + column)
        except DataError as error:
            raise DataError(f"{name}: game {number}: {error}") from error
    if not views:
        raise DataError(f"{name}: the games have no moves")
    points = tuple(f"{row},{column}" for row, column in np.ndindex(size, size))
    return Dataset(np.stack(views), np.array(moves, np.int64), points, name)


def read_go_games(path: str | os.PathLike[str]) -> list[GoGame]:
    """The games of an SGF file, each along its main line. Needs sgfmill.

    Raises:
        DataError: the file is missing or is not SGF; names the file, and the game, from 1.
    """
    try:
        from sgfmill import sgf, sgf_grammar, sgf_moves
    except ImportError as error:
        raise DataError(f"{path}: reading SGF needs sgfmill: pip install sgfmill") from error
    try:
        trees = sgf_grammar.parse_sgf_collection(Path(path).read_bytes())
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DataError(f"{path}: not SGF: {error}") from error
    games = []
    for number, tree in enumerate(trees, start=1):
        try:
            record = sgf.Sgf_game.from_coarse_game_tree(tree)
            board, plays = sgf_moves.get_setup_and_moves(record)
        except ValueError as error:
            raise DataError(f"{path}: game {number}: {error}") from error
        games.append(_game(record, board, plays))
    return games


_COLOURS = {"b": BLACK, "w": WHITE}


def _game(record: Any, board: Any, plays: list[tuple[str, Point | None]]) -> GoGame:
    """A GoGame of sgfmill's record. There rows count from the bottom, here from the top."""
    size = record.get_size()

    def turned(point: Point | None) -> Point | None:
        return None if point is None else (size - 1 - point[0], point[1])

    def stones(colour: str) -> tuple[Point, ...]:
        found = (turned(point) for c, point in board.list_occupied_points() if c == colour)
        return tuple(point for point in found if point is not None)

    root = record.get_root()
    return GoGame(
        size=size,
        black=stones("b"),
        white=stones("w"),
        moves=tuple((_COLOURS[colour], turned(point)) for colour, point in plays),
        result=root.get("RE") if root.has_property("RE") else "",
    )
