"""Go: the rules against sgfmill's, the planes against the rules, the games against both."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sgfmill import boards

from tinygrad_cnn.data import GoBoard, GoGame, go_games, go_positions, read_go_games, shipped
from tinygrad_cnn.data.go_board import BLACK, WHITE
from tinygrad_cnn.data.go_games import FILE, PLANES, planes
from tinygrad_cnn.errors import DataError, OptionError

LETTER = {BLACK: "b", WHITE: "w"}


def stones_of(board: boards.Board) -> np.ndarray:
    stones = np.zeros((board.side, board.side), int)
    for colour, point in board.list_occupied_points():
        stones[point] = BLACK if colour == "b" else WHITE
    return stones


def may_play(board: boards.Board, ko, colour: int, point) -> bool:
    """Whether sgfmill, which allows suicide and leaves ko to its caller, would let this stand."""
    if board.get(*point) is not None or point == ko:
        return False
    tried = board.copy()
    tried.play(*point, LETTER[colour])
    return tried.get(*point) is not None


@given(size=st.integers(2, 5), seed=st.integers(0, 10**6))
def test_random_games_agree_with_sgfmill(size, seed):
    rng = np.random.default_rng(seed)
    ours, theirs, ko, colour = GoBoard(size), boards.Board(size), None, BLACK
    for _ in range(3 * size**2):
        legal = ours.legal(colour)
        expected = [
            [may_play(theirs, ko, colour, (i, j)) for j in range(size)] for i in range(size)
        ]
        np.testing.assert_array_equal(legal, expected)
        if not legal.any():
            break
        point = tuple(map(int, rng.choice(np.argwhere(legal))))
        before = ours.stones
        taken = ours.play(colour, point)
        ko = theirs.play(*point, LETTER[colour])
        np.testing.assert_array_equal(ours.stones, stones_of(theirs))
        assert ours.ko == ko
        assert all(before[p] == -colour and ours.stones[p] == 0 for p in taken)
        assert (ours.liberties()[ours.stones != 0] > 0).all()
        colour = -colour


@given(seed=st.integers(0, 10**6))
def test_playing_is_refused_where_it_is_not_legal_and_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    board, colour = GoBoard(3), BLACK
    for _ in range(12):
        legal = board.legal(colour)
        for point in map(tuple, np.argwhere(~legal).tolist()):
            before, ko = board.stones, board.ko
            with pytest.raises(DataError, match=rf"cannot play at {re.escape(str(point))}: "):
                board.play(colour, point)
            np.testing.assert_array_equal(board.stones, before)
            assert board.ko == ko
        if not legal.any():
            break
        board.play(colour, tuple(map(int, rng.choice(np.argwhere(legal)))))
        colour = -colour


def ko_fight() -> GoBoard:
    """White has just taken at (1, 1), and black may not take back at (1, 2)."""
    board = GoBoard(5)
    board.setup(black=[(0, 1), (1, 0), (2, 1), (1, 2)], white=[(0, 2), (2, 2), (1, 3)])
    assert board.play(WHITE, (1, 1)) == [(1, 2)]
    return board


def test_ko_ends_with_a_move_elsewhere():
    board = ko_fight()
    with pytest.raises(DataError, match=r"black cannot play at \(1, 2\): ko"):
        board.play(BLACK, (1, 2))
    board.play(BLACK, (4, 4))
    board.play(WHITE, (4, 0))
    assert board.play(BLACK, (1, 2)) == [(1, 1)]


def test_planes_of_a_ko_fight():
    view = dict(zip(PLANES, planes(ko_fight(), BLACK, last=(1, 1)), strict=True))
    assert np.argwhere(view["ko"]).tolist() == [[1, 2]]
    assert np.argwhere(view["last move"]).tolist() == [[1, 1]]
    assert np.argwhere(view["own stones"]).tolist() == [[0, 1], [1, 0], [2, 1]]
    assert view["1 liberty"][1, 1] == 1
    assert view["legal"][1, 2] == 0
    assert view["black to play"].all()
    assert view["ones"].all()
    assert view["empty"].sum() == 25 - 3 - 4


@pytest.mark.parametrize(
    ("black", "white", "message"),
    [
        ([(0, 0), (0, 0)], [], r"black stone cannot be set up at \(0, 0\)"),
        ([(0, 5)], [], r"black stone cannot be set up at \(0, 5\)"),
        ([(0, 1), (1, 0)], [(0, 0)], r"white stone at \(0, 0\) has no liberty"),
    ],
)
def test_impossible_setups_are_refused(black, white, message):
    with pytest.raises(DataError, match=message):
        GoBoard(5).setup(black, white)


# --- games -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def games() -> list[GoGame]:
    return read_go_games(shipped.FOLDER / FILE)


def test_the_games_differ_and_end_with_two_passes(games):
    assert len(games) == len({game.moves for game in games}) == 500
    assert {game.size for game in games} == {9}
    assert all([point for _, point in game.moves[-2:]] == [None, None] for game in games)
    assert all(re.fullmatch(r"[BW]\+\d+\.5", game.result) for game in games)
    assert {len(game.black) + len(game.white) for game in games} == {4}


@pytest.fixture(scope="module")
def positions():
    return go_games("validation")


def test_positions_are_of_ones_and_zeros_and_moves_are_legal(positions, games):
    assert positions.inputs.shape == (len(positions), 12, 9, 9)
    assert positions.inputs.dtype == np.float32
    assert set(np.unique(positions.inputs)) == {0, 1}
    moves = sum(point is not None for game in games[400:450] for _, point in game.moves)
    assert len(positions) == moves
    view = dict(zip(PLANES, positions.inputs.transpose(1, 0, 2, 3), strict=True))
    row, column = np.divmod(positions.labels, 9)
    assert view["legal"][np.arange(len(positions)), row, column].all()
    assert (view["own stones"] + view["their stones"] + view["empty"] == 1).all()
    liberties = sum(view[name] for name in PLANES[3:7])
    np.testing.assert_array_equal(liberties, 1 - view["empty"])
    assert (view["legal"] <= view["empty"]).all()
    assert (view["ko"].sum(axis=(1, 2)) <= 1).all()
    assert view["ko"].any()
    assert (view["last move"] <= view["their stones"]).all()
    assert {"0,0", "8,8"} <= set(positions.classes)


def test_a_game_in_sgf_is_read_from_the_top(tmp_path):
    path = tmp_path / "game.sgf"
    path.write_text("(;FF[4]GM[1]SZ[5]AB[aa]AW[ee]RE[B+1];W[ba];B[tt];W[ab])")
    (game,) = read_go_games(path)
    assert game == GoGame(
        5, ((0, 0),), ((4, 4),), ((WHITE, (0, 1)), (BLACK, None), (WHITE, (1, 0))), "B+1"
    )
    data = go_positions([game])
    assert data.labels.tolist() == [1, 5]
    assert data.inputs[1, 1, 0, 0] == 1  # black's stone, before it is taken


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(;SZ[5];B[aa];W[aa])", r"game 1: move 2: Go: white cannot play at \(0, 0\): occupied"),
        ("(;SZ[5];B[aa])(;SZ[9];B[aa])", r"boards of one size, got \[5, 9\]"),
        ("(;SZ[5])", "the games have no moves"),
    ],
)
def test_games_that_cannot_be_are_refused(tmp_path, text, message):
    path = tmp_path / "game.sgf"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        go_positions(read_go_games(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chess", "not SGF: "),
        ("(;SZ[9];B[aa]", "not SGF: "),
        ("(;SZ[x];B[aa])", "game 1: "),
        ("(;SZ[9];B[aa])(;SZ[9];B[zz])", "game 2: "),
        ("(;SZ[9];B[aa];AB[bb])", "game 1: setup properties after the root node"),
    ],
)
def test_a_file_that_is_no_record_is_named(tmp_path, text, message):
    path = tmp_path / "game.sgf"
    path.write_text(text)
    with pytest.raises(DataError, match=re.escape(f"{path}: {message}")):
        read_go_games(path)


def test_a_missing_file_or_another_split_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.sgf: there is no such file"):
        read_go_games(tmp_path / "none.sgf")
    with pytest.raises(OptionError, match="split='dev' is not one of train, validation, test"):
        go_games("dev")
