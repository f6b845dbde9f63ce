"""What the documents hold: their files, links, anchors, and the commands that they name."""

import json
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:^|\s)(?:\S*python3? -m ([\w.]+)|lrpseg)(?=\s|$)")


def documents() -> list[Path]:
    """All Markdown files and notebooks of the project."""
    places = [ROOT.glob("*.md")]
    places += [(ROOT / below).rglob(kind) for below in ("docs", "assets") for kind in KINDS]
    return sorted(path for place in places for path in place)


KINDS = ("*.md", "*.ipynb")


def text_of(path: Path) -> str:
    """The Markdown of a document; of a notebook, its cells of text."""
    text = path.read_text("utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = json.loads(text)["cells"]
    return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


def links(text: str) -> list[str]:
    """Targets of links and pictures, outside of code."""
    prose = re.sub(r"`[^`\n]*`", "", CODE.sub("", text))
    return re.findall(r"\]\(([^)\s]+)\)", prose)


def anchors(text: str) -> set[str]:
    """What links may point at: headings, as GitHub names them."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in re.findall(r"^#+ (.+)$", CODE.sub("", text), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """(module or "lrpseg", its words) of each command, in blocks of shell and in code in a line."""
    blocks = [body for language, body in CODE.findall(text) if language == "sh"]
    lines = [line for body in blocks for line in body.replace("\\\n", " ").splitlines()]
    lines += re.findall(r"`([^`\n]+)`", CODE.sub("", text).replace("\n", " "))
    for line in lines:
        command = re.split(r"\s#\s|\s&&\s|\s>\s", line)[0]
        found = COMMAND.search(command)
        if found:
            words = shlex.split(command[found.end() :].replace("...", " "))
            yield found[1] or "lrpseg", words
