"""Time training steps of this engine and of PyTorch in turn, each in a process of its own.

python benchmarks/apart.py [THREADS] [ROUNDS]

In one process, waiting threads of one engine would take time from the other. Here each engine has
its own process, and a step of one begins only after a step of the other has ended.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from multiprocessing.connection import Connection
from statistics import median

STEPS = {"LeNet step, batch 128": "lenet", "ResNet-20 step, batch 32": "resnet20"}
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def serve(pipe: Connection, case: str, engine: str, threads: int) -> None:
    """In a process of its own: run one step whenever asked to, and answer with its seconds."""
    import cases

    from tinygrad_cnn.kernels.parallel import set_num_threads

    set_num_threads(threads)
    if cases.torch:
        cases.torch.set_num_threads(threads)
    step = getattr(cases, case)()[engine]
    while pipe.recv():
        started = time.perf_counter()
        step()
        pipe.send(time.perf_counter() - started)


def in_turn(case: str, threads: int, rounds: int) -> dict[str, list[float]]:
    """The seconds of each round, by engine."""
    context = multiprocessing.get_context("spawn")
    pipes = {}
    for engine in ("ours", "PyTorch"):
        pipes[engine], theirs = context.Pipe()
        context.Process(target=serve, args=(theirs, case, engine, threads), daemon=True).start()
    seconds: dict[str, list[float]] = {engine: [] for engine in pipes}
    for _ in range(rounds + 2):
        for engine, pipe in pipes.items():
            pipe.send(True)
            seconds[engine].append(pipe.recv())
            time.sleep(0.02)  # until the threads of a pool have gone to sleep
    for pipe in pipes.values():
        pipe.send(False)
    return {engine: times[2:] for engine, times in seconds.items()}


def main() -> None:
    """Print a line of the table for each case."""
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 15
    os.environ |= dict.fromkeys(THREAD_VARIABLES, str(threads))
    print("| case, threads | ours (ms) | PyTorch (ms) | ours ÷ PyTorch | of the fastest | load |")
    print("|" + " --- |" * 6)
    for name, case in STEPS.items():
        times = in_turn(case, threads, rounds)
        ours, theirs = (1e3 * median(times[engine]) for engine in ("ours", "PyTorch"))
        fastest = min(times["ours"]) / min(times["PyTorch"])
        load = os.getloadavg()[0]
        print(f"| {name}, {threads} | {ours:.1f} | {theirs:.1f} | {ours / theirs:.2f} "
              f"| {fastest:.2f} | {load:.1f} |")  # fmt: skip


if __name__ == "__main__":
    main()
