"""The two guides: their commands are commands, their links lead somewhere."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from gwas_core.cli import build_parser
from tests.deploy.image import REPOSITORY

GUIDES = [REPOSITORY / "deploy" / "README.md", REPOSITORY / "docs" / "kubeflow.md"]
guides = pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.parent.name)


def commands(guide: Path) -> list[list[str]]:
    """The words of every command line."""
    blocks = re.findall(r"```bash\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def anchors(text: str) -> set[str]:
    """The addresses of a page's headings."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@guides
def test_links_lead_somewhere(guide: Path) -> None:
    text = guide.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if not link.startswith("http")]
    assert links
    for link in links:
        path, _, anchor = link.partition("#")
        target = (guide.parent / path) if path else guide
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), link


@guides
def test_commands_are_bash(guide: Path) -> None:
    for block in re.findall(r"```bash\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL):
        subprocess.run(["bash", "-n"], input=block, text=True, check=True)


@guides
def test_commands_of_the_program_have_these_options(guide: Path) -> None:
    found = 0
    for words in commands(guide):
        if "gwas_core" in words or words[0] == "./run":
            start = words.index("gwas_core") if "gwas_core" in words else 0
            build_parser().parse_args(words[start + 1 :])
            found += 1
    assert found


@guides
def test_files_they_name_are_there(guide: Path) -> None:
    text = guide.read_text(encoding="utf-8")
    names = set(re.findall(r"\b((?:deploy|data|notebooks)/[\w./-]*\w)", text))
    assert names
    for name in names:
        assert (REPOSITORY / name).exists(), name


@guides
def test_yaml_is_yaml(guide: Path) -> None:
    for block in re.findall(r"```yaml\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL):
        assert yaml.safe_load(block)


def test_the_namespace_is_the_same_everywhere() -> None:
    kustomization = yaml.safe_load((REPOSITORY / "deploy" / "base" / "kustomization.yaml").read_text(encoding="utf-8"))
    for guide in GUIDES:
        spaces = {words[words.index("-n") + 1] for words in commands(guide) if words[0] == "kubectl" and "-n" in words}
        assert spaces <= {kustomization["namespace"], "kubeflow", "istio-system"}
