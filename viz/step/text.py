"""The same steps in the terminal, one screenful each, at 80 columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from .numerals import numeral

WIDTH = 80
LINES = 2  # of the program, shown before and after the one that ran
MOST_SHOWN = 24  # numbers of an array
KEYS = "Enter on, b back, a number goes to that step, /word finds a node, q quits"
_STYLES = {"forward": "blue", "backward": "dark_orange3", "error": "red"}
Data = Mapping[str, Any]


def walk(data: Data, console: Console | None = None) -> int:
    """Go through the steps in the terminal, until its reader quits.

    Args:
        data: of `viz.step(…)`.
        console: where to write, and to read from; the terminal if None, 80 columns wide at most.

    Returns:
        The step at which it was left.
    """
    say = console or Console(highlight=False)
    say.width = min(say.width, WIDTH)
    at, last = 0, len(data["steps"]) - 1
    _show(data, at, say)
    while True:
        try:
            command = say.input(f"[dim]{KEYS}[/dim] > ").strip()
        except (EOFError, KeyboardInterrupt):
            command = "q"
        if command == "q":
            return at
        if command.startswith("/"):
            found = _find(data, command[1:].strip().lower(), at)
            if found is None:
                say.print(f"There is no {command[1:]!r} here.", markup=False)
                continue
            at = found
        elif command == "b":
            at = max(0, at - 1)
        elif command.isdecimal():
            at = min(int(command), last)
        elif command:
            say.print(f"There is no {command!r} here.", markup=False)
            continue
        elif at == last:
            say.print("This was the last step.")
            return at
        else:
            at += 1
        _show(data, at, say)


def _find(data: Data, word: str, at: int) -> int | None:
    """The next step, after this one and then from the beginning, at a node of that name."""
    steps, nodes = data["steps"], data["nodes"]

    def names(step: Data) -> str:
        node = step["node"]
        label = nodes[node]["label"] if node is not None else ""
        return f"{label} {step['op']} {step['scope']}".lower()

    order = [*range(at + 1, len(steps)), *range(at + 1)]
    return next((k for k in order if word and word in names(steps[k])), None)


def _show(data: Data, at: int, say: Console) -> None:
    step, last = data["steps"][at], len(data["steps"]) - 1
    half = step["kind"] if step["kind"] in _STYLES else ("forward" if not at else "backward")
    style = _STYLES[half]
    head = " ".join(filter(None, [step["op"], f"in {step['scope']}" if step["scope"] else ""]))
    say.rule(escape(f"step {at} of {last}, {half}" + (f" · {head}" if head else "")), style=style)
    _show_source(data, step, say, style)
    say.print(Text(step["caption"], style=f"bold {style}"))
    if step.get("formula"):
        say.print(Text(f"  {step['formula']}"))
        if step["numbers"]:
            say.print(Text(f"  {' ' * step['formula'].index('=')}= {step['numbers']}"))
    table = Table(box=None, show_header=False, pad_edge=False, expand=False)
    for name, words in _rows(data, step):
        table.add_row(Text(name, style="bold"), Text(words))
    if table.row_count:
        say.print(table)


def _show_source(data: Data, step: Data, say: Console, style: str) -> None:
    if step["source"] is None:
        return
    file, line = step["source"]
    for number, text in data["sources"][file]["lines"]:
        if abs(number - line) <= LINES:
            now = number == line
            row = Text(f"{'▶' if now else ' '}{number:>5}  {text}", style=style if now else "dim")
            row.truncate(say.width, overflow="ellipsis")
            say.print(row)


def _rows(data: Data, step: Data) -> list[tuple[str, str]]:
    """What is shown of a step's values: names, and numbers or statistics."""
    nodes = data["nodes"]

    def label(i: int) -> str:
        return str(nodes[i]["label"])

    def value(place: int | None) -> str:
        return "nothing" if place is None else array_text(data["arrays"][place])

    rows: list[tuple[str, str]] = []
    kind = step["kind"]
    if kind == "start":
        return [(label(i), f"{value(nodes[i]['value'])}   no grad yet") for i in step["given"][:40]]
    if kind == "end":
        return [
            (f"∂{step['result']}/∂{label(each['node'])}", value(each["gradient"]))
            for each in step["gradients"][:40]
        ]
    if kind in {"forward", "error"}:
        rows += [
            (f"{e['argument']} ({label(e['node'])})", value(e["value"])) for e in step["inputs"]
        ]
        rows += [(f"→ {label(e['node'])}", value(e["value"])) for e in step["outputs"]]
    if kind in {"seed", "backward"}:
        rows += [("arrived", value(place)) for place in step["arrived"]]
    for send in step.get("sends", ()):
        to = f"to {send['argument']} ({label(send['node'])})"
        if send["gradient"] is None:
            rows.append((to, send["why"]))
            continue
        rows.append((to, f"{send['formula']}: {value(send['gradient'])}"))
        if send["of"] > 1:
            before = value(send["before"])
            now, total = value(send["gradient"]), value(send["sum"])
            now = now if len(now) < 20 else "now"
            words = f"no grad yet  →  {total}" if send["before"] is None else ""
            words = words or f"{before}  +  {now}  =  {total}"
            rows.append((f"  {send['part']} of {send['of']}", words))
    return rows


def array_text(array: Data) -> str:
    """An array on one line: its numbers if there are few, else its shape and range.

    Example:
        >>> array_text({"shape": [2], "dtype": "float64", "numbers": [1.0, -0.5]})
        '1 −0.5'
    """
    shape = f"({','.join(map(str, array['shape']))})"
    numbers = array.get("numbers")
    if numbers is not None and len(numbers) <= MOST_SHOWN:
        words = " ".join(numeral(float(x)) for x in numbers)
        return words if len(array["shape"]) < 2 else f"{shape} {words}"
    if numbers is not None:
        low, high = (numeral(f(map(float, numbers))) for f in (min, max))
        return f"{shape} {low} … {high}"
    known = array.get("statistics")
    if known is None:
        return f"{shape} not kept"
    low, high, mean, norm = (numeral(float(known[k])) for k in ("min", "max", "mean", "norm"))
    return f"{shape} {low} … {high}, mean {mean}, norm {norm}"
