"""Makes tinygrad_cnn/data/files/go_games_9x9.sgf: GNU Go playing itself on a 9×9 board.

    python scripts/make_go_games.py [--games 500] [--output FILE]

Needs GNU Go 3.8 (Debian's package `gnugo`), spoken to over GTP, the Go Text Protocol. Each game
starts from two black and two white stones on random points off the edge, so that the games
differ; all moves after that are GNU Go's, at level 1. Game k uses seed k, for the stones and for
GNU Go, so that the same program plays the same games. About a second a game.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path
from typing import Self

import numpy as np
from sgfmill import sgf
from sgfmill.common import format_vertex, move_from_vertex

SIZE = 9
KOMI = 6.5
MOST_MOVES = 250
OUTPUT = Path(__file__).parents[1] / "tinygrad_cnn" / "data" / "files" / "go_games_9x9.sgf"


class GnuGo:
    """GNU Go as a process that answers GTP commands."""

    def __init__(self, seed: int, command: str = "/usr/games/gnugo") -> None:
        options = f"--mode gtp --level 1 --chinese-rules --never-resign --seed {seed}"
        self.process = subprocess.Popen(
            [command, *options.split()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, command: str) -> str:
        """The answer to one command."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(command, file=self.process.stdin, flush=True)
        lines = []
        while line := self.process.stdout.readline().strip():
            lines.append(line)
        answer = "\n".join(lines)
        if not answer.startswith("="):
            raise RuntimeError(f"GNU Go on {command!r}: {answer or 'no answer'}")
        return answer[1:].strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.ask("quit")
        self.process.wait()


def opening(seed: int) -> list[tuple[int, int]]:
    """Four distinct points off the edge: black's two, white's two. None can be captured."""
    inside = SIZE - 2
    chosen = np.random.default_rng(seed).choice(inside**2, 4, replace=False)
    return [(1 + int(k) // inside, 1 + int(k) % inside) for k in chosen]


def play(seed: int) -> sgf.Sgf_game:
    """One game, until both pass."""
    game = sgf.Sgf_game(SIZE)
    root = game.get_root()
    root.set("KM", KOMI)
    root.set("RU", "Chinese")
    root.set("PB", "GNU Go 3.8, level 1")
    root.set("PW", "GNU Go 3.8, level 1")
    stones = opening(seed)
    root.set_setup_stones(stones[:2], stones[2:])
    root.set("PL", "b")
    with GnuGo(seed) as player:
        player.ask(f"boardsize {SIZE}")
        player.ask(f"komi {KOMI}")
        for colour, stone in zip("bbww", stones, strict=True):
            player.ask(f"play {colour} {format_vertex(stone)}")
        passes = 0
        for k in range(MOST_MOVES):
            colour = "bw"[k % 2]
            move = move_from_vertex(player.ask(f"genmove {colour}"), SIZE)
            game.extend_main_sequence().set_move(colour, move)
            passes = passes + 1 if move is None else 0
            if passes == 2:
                break
        root.set("RE", player.ask("final_score"))
    return game


def main(games: int, output: Path) -> None:
    """Play the games and write them, one after another, into one SGF collection."""
    records = []
    for seed in range(games):
        records.append(play(seed).serialise(wrap=None).strip())
        if (seed + 1) % 20 == 0:
            print(f"{seed + 1} games", flush=True)
    output.write_bytes(b"\n".join(records) + b"\n")
    print(f"{output}: {output.stat().st_size:,} bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Let GNU Go play itself on a 9×9 board.")
    parser.add_argument("--games", type=int, default=500)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    main(arguments.games, arguments.output)
