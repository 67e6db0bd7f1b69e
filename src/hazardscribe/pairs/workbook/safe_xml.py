"""XML parts parsed as a stream by expat, with what an attacker could use switched off.

Office files never hold a document type, so one is refused as soon as it is seen: without it there
are no entities to expand and no files to include. Depth, token length and text are bounded, so
that memory stays flat whatever the part holds. Expat's own callbacks are as fast on sheets as
`iterparse` of lxml or of the standard library, and keep no tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import IO
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

MAX_DEPTH = 256
_CHUNK = 1 << 16
_MAX_TOKEN = 1 << 20  # bytes of one tag; expat before 2.6 scans it again with every chunk
_MAX_NODES = 2_000_000  # below one child of the root
_MAX_PIECES = 50_000  # of up to 8 KiB; a cell holds 32,767 characters


class BadXmlError(ValueError):
    """A part that is no well-formed, harmless XML; `Package.reading` names the file."""


class Parser:
    """An expat parser that is fed from a stream, chunk by chunk.

    Names are `namespace}local`, and plain `local` where there is no namespace.

    Attributes:
        pieces: the text seen since it was last cleared, in pieces.
    """

    def __init__(
        self, start: Callable[[str, dict[str, str]], None], end: Callable[[str], None]
    ) -> None:
        self.pieces: list[str] = []
        self._parser = expat.ParserCreate(namespace_separator="}")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = start
        self._parser.EndElementHandler = end
        self._parser.CharacterDataHandler = self.pieces.append
        self._parser.StartDoctypeDeclHandler = _refuse

    def feed(self, stream: IO[bytes]) -> Iterator[None]:
        """Parse the stream, giving control back after each chunk.

        Raises:
            BadXmlError, expat.ExpatError: the part is damaged or hostile.
        """
        fed = 0
        while chunk := stream.read(_CHUNK):
            self._parser.Parse(chunk, False)
            fed += len(chunk)
            if fed - self._parser.CurrentByteIndex > _MAX_TOKEN or len(self.pieces) > _MAX_PIECES:
                raise BadXmlError("one piece of text is longer than any program would write")
            yield
        self._parser.Parse(b"", True)
        yield


def _refuse(*_: object) -> None:
    raise BadXmlError("it declares a document type, which Office files never do")


def children(stream: IO[bytes]) -> Iterator[Element]:
    """The elements below the root, each complete, one after the other."""
    depth = nodes = 0
    builder = TreeBuilder()
    done: list[Element] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, nodes, builder
        depth += 1
        nodes += 1
        if depth > MAX_DEPTH or nodes > _MAX_NODES:
            raise BadXmlError("its elements are nested too deeply or too many")
        if depth == 2:
            builder, nodes = TreeBuilder(), 0
        elif depth > 2:
            flush()
        if depth > 1:
            builder.start(name, attributes)
        parser.pieces.clear()

    def end(name: str) -> None:
        nonlocal depth
        if depth > 1:
            flush()
            builder.end(name)
        if depth == 2:
            done.append(builder.close())
        depth -= 1

    def flush() -> None:
        if parser.pieces:
            builder.data("".join(parser.pieces))
            parser.pieces.clear()

    parser = Parser(start, end)
    for _ in parser.feed(stream):
        yield from done
        done.clear()


def local(name: str) -> str:
    """A name without its namespace: the strict and the usual dialect differ in nothing else."""
    return name.rpartition("}")[2]


def attribute(element: Element, name: str) -> str:
    """An attribute by its local name, "" if it is not there."""
    value = element.get(name)
    if value is not None:
        return value
    return next((value for key, value in element.items() if local(key) == name), "")


def child(element: Element | None, *path: str) -> Element | None:
    """The first descendant along a path of local names."""
    for name in path:
        if element is None:
            return None
        element = next((below for below in element if local(below.tag) == name), None)
    return element


def text(element: Element | None) -> str:
    return (element.text or "") if element is not None else ""
