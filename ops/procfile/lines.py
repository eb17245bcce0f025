"""The processes' output, line by line, each with the name of its process in front."""

import errno
from dataclasses import dataclass, field
from typing import TextIO

_LONGEST_LINE = 16_384
_COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
_OWN_COLOUR = 37
_OWN_NAME = "ops"


@dataclass(slots=True)
class Splitter:
    """Cuts bytes into lines; a line without end is cut where it gets too long."""

    _pending: bytes = field(default=b"", init=False)

    def feed(self, data: bytes) -> list[str]:
        """Return the lines that are whole by now; bytes that are no UTF-8 become U+FFFD."""
        *whole, rest = (self._pending + data).split(b"\n")
        while len(rest) >= _LONGEST_LINE:
            whole.append(rest[:_LONGEST_LINE])
            rest = rest[_LONGEST_LINE:]
        self._pending = rest
        return [_text(line) for line in whole]

    def rest(self) -> list[str]:
        """Return what came after the last line end."""
        pending, self._pending = self._pending, b""
        return [_text(pending)] if pending else []


class Printer:
    """Writes prefixed lines; when the output breaks, it is silent rather than in the way.

    A full disk keeps it silent until there is room again.
    """

    def __init__(self, output: TextIO, *, labels: list[str], colour: bool) -> None:
        self._output: TextIO | None = output
        self._colour = colour
        self._width = max(map(len, [*labels, _OWN_NAME]))
        names = dict.fromkeys(label.partition(".")[0] for label in labels)
        self._colours = {name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(names)}

    def write(self, label: str, lines: list[str]) -> None:
        """Write lines of a process, and flush them."""
        if self._output is None or not lines:
            return
        prefix = f"{label:<{self._width}} |"
        if self._colour:
            colour = self._colours.get(label.partition(".")[0], _OWN_COLOUR)
            prefix = f"\033[{colour}m{prefix}\033[0m"
        try:
            self._output.write("".join(f"{prefix} {line}\n" for line in lines))
            self._output.flush()
        except (OSError, ValueError) as error:
            if getattr(error, "errno", None) != errno.ENOSPC:
                self._output = None  # A closed terminal or pipe must not stop the processes.

    def say(self, line: str) -> None:
        """Write a line of our own."""
        self.write(_OWN_NAME, [line])


def _text(line: bytes) -> str:
    return line.removesuffix(b"\r").decode(errors="replace")
