"""What can be asked of a recording: its graph, its events in order, one element's arithmetic.

`graph.py` is what some results depend on, and what it would have been with other values; `trace.py`
listens to a run, forward and backward, and keeps it; `zoom.py` opens one element into Scalars.
"""

from .description import Description, Statistics
from .event import Event, Failure
from .graph import Edge, Graph, Replay
from .trace import Trace, load_trace, trace
from .zoom import zoom

__all__ = [
    "Description",
    "Edge",
    "Event",
    "Failure",
    "Graph",
    "Replay",
    "Statistics",
    "Trace",
    "load_trace",
    "trace",
    "zoom",
]
