"""The container image's recipe, read; and its files, laid out as the recipe says, since no image is built here."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
DOCKERFILE = REPOSITORY / "deploy" / "Dockerfile"
IGNORE = REPOSITORY / "deploy" / "Dockerfile.dockerignore"


@dataclass(frozen=True)
class Instruction:
    """One instruction of a Dockerfile, its lines joined."""

    name: str
    value: str


def instructions(path: Path = DOCKERFILE) -> list[Instruction]:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [Instruction(*line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


def environment() -> dict[str, str]:
    """The variables that the image sets."""
    words = [word for found in instructions() if found.name == "ENV" for word in shlex.split(found.value)]
    return dict(word.split("=", 1) for word in words)


def is_sent(path: str) -> bool:
    """Whether a file of the repository is part of what the builder gets: the last line that matches decides."""
    sent = True
    for line in IGNORE.read_text(encoding="utf-8").splitlines():
        pattern = line.removeprefix("!")
        if not pattern or pattern.startswith("#"):
            continue
        parts = Path(path).parts
        prefixes = ["/".join(parts[: count + 1]) for count in range(len(parts))]
        matches = (
            any(part == pattern.removeprefix("**/") for part in parts)
            if pattern.startswith("**/")
            else any(fnmatch(prefix, pattern) for prefix in prefixes)
        )
        if matches:
            sent = line.startswith("!")
    return sent


def lay_out(root: Path) -> None:
    """Copy into ``root`` what the image has in its working folder."""
    folder_reached = False
    for found in instructions():
        folder_reached |= found.name == "WORKDIR"
        if found.name != "COPY" or not folder_reached:
            continue
        *sources, target = found.value.split()
        for source in sources:
            for path in _files(source):
                inside = Path(path).relative_to(source) if (REPOSITORY / source).is_dir() else Path(Path(path).name)
                goal = root / target / inside
                goal.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(REPOSITORY / path, goal)


def _files(source: str) -> list[str]:
    """The files under a source of COPY that the builder gets."""
    start = REPOSITORY / source
    found = sorted(start.rglob("*")) if start.is_dir() else [start]
    names = [str(path.relative_to(REPOSITORY)) for path in found if path.is_file()]
    sent = [name for name in names if is_sent(name)]
    assert sent, f"the builder gets nothing of {source}: see {IGNORE.name}"
    return sent
