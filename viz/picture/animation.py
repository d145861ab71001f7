"""`Animation`: several pictures of one size, one after the other."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from tinygrad_cnn.errors import OptionError

from .dark import adapting
from .html import page, safe
from .picture import Picture

MAX_FRAMES = 256
_WIDEST = 1000  # pixels of a GIF


@dataclass(frozen=True, repr=False)
class Animation(Picture):
    """A picture with frames. As a Picture it is its first frame; `animation[3]` is the fourth.

    It can also be saved as .html or .gif. The page has a slider and a button to play. The keys ←
    and → go one frame back and on, Home and End go to the first and the last frame, and the space
    bar plays. The page loads no other files. A notebook shows it.

    Attributes:
        frames: each one's SVG; all of one size.
        data: what each frame shows, a sequence.
        seconds: how long a frame stays.

    Example:
        >>> from viz.picture import svg
        >>> frames = [svg.document(80, 20, svg.text(4, 14, word)) for word in ("one", "two")]
        >>> animation = Animation.of(frames, ("one", "two"), title="counting")
        >>> animation, animation[1].data, animation.gif()[:3]
        (<Animation 'counting', 2 frames, 80 × 20>, 'two', b'GIF')
    """

    frames: tuple[str, ...] = ()
    seconds: float = 0.8

    @classmethod
    def of(
        cls, frames: Sequence[str], data: Sequence[Any], title: str, seconds: float = 0.8
    ) -> Animation:
        """An animation from its frames.

        Raises:
            OptionError: no frames, or more than 256.
        """
        if not 1 <= len(frames) <= MAX_FRAMES:
            raise OptionError(f"Animation: 1 … {MAX_FRAMES} frames, got {len(frames)}")
        return cls(frames[0], tuple(data), None, title, None, tuple(frames), seconds)

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, i: int) -> Picture:
        return Picture(self.frames[i], self.data[i], title=self.title)

    def _bytes(self, ending: str) -> bytes:
        if ending == ".gif":
            return self.gif()
        return self.html().encode() if ending == ".html" else super()._bytes(ending)

    def gif(self) -> bytes:
        """The frames as a GIF that repeats."""
        from PIL import Image

        width = max(1, min(_WIDEST, int(1.5 * self.size[0])))
        images = []
        for i in range(len(self)):
            frame = Image.open(io.BytesIO(self[i].png(width))).convert("RGBA")
            ground = Image.new("RGBA", frame.size, "white")  # GIF has no half-transparent corners
            images.append(Image.alpha_composite(ground, frame).convert("RGB").quantize(128))
        written = io.BytesIO()
        images[0].save(
            written,
            format="GIF",
            save_all=True,
            append_images=images[1:],
            duration=int(1000 * self.seconds),
            loop=0,
        )
        return written.getvalue()

    def html(self) -> str:
        """The page. A line of SVG that several frames share is in it only once."""
        numbers: dict[str, int] = {}
        rows = [
            [numbers.setdefault(line, len(numbers)) for line in frame.splitlines()]
            for frame in self.frames
        ]
        data = {"lines": list(numbers), "frames": rows, "milliseconds": int(1000 * self.seconds)}
        text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
        last = len(self) - 1
        body = (
            f'<h1>{safe(self.title)}</h1>\n<div id="frame">{self.svg}</div>\n'
            '<p class="controls">'
            '<button id="back" title="back (←)">◀</button>'
            '<button id="play" title="play (space)">play</button>'
            '<button id="on" title="on (→)">▶</button>'
            f'<input id="slider" type="range" min="0" max="{last}" value="0" '
            'aria-label="which frame">'
            f'<output id="count">1 / {len(self)}</output></p>'
        )
        return page(self.title, body, _STYLE, f"const data = {text}\n{_SCRIPT}")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        height = min(self.size[1], 900) + 170
        framed = (
            f'<iframe sandbox="allow-scripts" srcdoc="{escape(self.html())}" '
            f'style="width:100%;height:{height:.0f}px;border:0"></iframe>'
        )
        return {
            "text/html": framed,
            "image/svg+xml": adapting(self.svg),
            "text/plain": repr(self),
        }

    def __repr__(self) -> str:
        across, down = self.size
        count = f"{len(self)} frame{'s' * (len(self) != 1)}"
        return f"<Animation {self.title!r}, {count}, {across:.0f} × {down:.0f}>"


_STYLE = """
.controls { display: flex; gap: .6rem; align-items: center; max-width: 46rem; }
.controls input { flex: 1; min-width: 4rem; }
.controls button { font: inherit; flex: none; padding: .25rem .6rem; }
.controls output { flex: none; font-variant-numeric: tabular-nums; }
"""
_SCRIPT = """
const find = id => document.getElementById(id)
const last = data.frames.length - 1
let at = 0, timer = null
function show(i) {
  at = Math.min(Math.max(i, 0), last)
  find("frame").innerHTML = data.frames[at].map(n => data.lines[n]).join("\\n")
  find("slider").value = at
  find("count").textContent = `${at + 1} / ${last + 1}`
}
function play(on) {
  clearInterval(timer)
  timer = on ? setInterval(() => show(at < last ? at + 1 : 0), data.milliseconds) : null
  find("play").textContent = on ? "stop" : "play"
}
const keys = {
  ArrowLeft: () => show(at - 1), ArrowRight: () => show(at + 1),
  Home: () => show(0), End: () => show(last), " ": () => play(!timer),
}
document.addEventListener("keydown", event => {
  if (!keys[event.key] || event.ctrlKey || event.altKey || event.metaKey) return
  event.preventDefault()
  if (event.key != " ") play(false)
  keys[event.key]()
})
// A button that is pressed by the space bar would click, too, when the bar goes up.
document.addEventListener("keyup", event => event.key == " " && event.preventDefault())
find("back").onclick = () => { play(false); show(at - 1) }
find("on").onclick = () => { play(false); show(at + 1) }
find("play").onclick = () => play(!timer)
find("slider").oninput = event => { play(false); show(+event.target.value) }
"""
