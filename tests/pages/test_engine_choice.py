"""Running on a cluster, from the pages: the choice, the preflight, the search, what others made there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from gwas_core.engines.selection import Engines
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.library import DatasetLibrary
from gwas_core.kubeflow.cluster import connect
from gwas_core.kubeflow.settings import ClusterSettings
from gwas_core.tuning.experiment import ExperimentState, TrialState
from gwas_core.workspace import Workspace
from tests import waiting
from tests.kubeflow.katib_server import Fault, KatibServer
from tests.kubeflow.quick_cluster import external_manifest, on_this_cluster, quick_cluster
from tests.pages.conftest import OpenPage
from tests.tuning.quick_experiments import wait_until

SEARCH, EXPERIMENTS = "pages/train.py", "pages/experiments.py"
QUICK = """
fixed: {network: hybrid, epochs: 3, conv_filters: 2, num_dense_units: 2}
parameters:
  - {name: learning_rate, kind: double, minimum: 1.0e-3, maximum: 1.0e-2, scale: log, default: 3.0e-3}
"""


@pytest.fixture(autouse=True)
def content_hash(workspace: Workspace, dataset: Dataset) -> str:
    return DatasetLibrary(workspace).add(dataset, source="my table.txt", notes=())


@pytest.fixture
def server(tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[KatibServer]:
    """A cluster on whose claim the workspace lies."""
    on_this_cluster(monkeypatch, workspace.root)
    with quick_cluster(tmp_path, monkeypatch, epoch_seconds=0.7) as running:
        yield running


def key(app: AppTest, name: str) -> str:
    return f"search-{name}-{app.selectbox(key='search-dataset').value[:16]}-0"


def on_cluster(app: AppTest) -> AppTest:
    app.radio(key=key(app, "engine")).set_value("kubeflow").run()
    assert not app.exception
    return app


def said(app: AppTest) -> str:
    everything = (*app.error, *app.caption, *app.markdown)
    return "\n".join(element.value for element in everything).replace("\\", "")


def set_space(app: AppTest, content: str = QUICK) -> None:
    uploader = next(entry for entry in app.file_uploader if "Search space" in entry.label)
    uploader.set_value(("space.yaml", content.encode(), "application/yaml")).run()


def rerun_until(app: AppTest, condition: Callable[[AppTest], bool]) -> None:
    waiting.wait_until(lambda: condition(app.run()), told=lambda: said(app))


def test_without_a_cluster_there_is_no_choice_but_what_it_takes_is_said(
    open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    app = open_page(SEARCH)
    assert "Run on" not in [choice.label for choice in app.radio]
    assert "docs/kubeflow.md" in said(app)
    assert not app.button(key="search-launch").disabled
    assert "cluster-look" not in [button.key for button in open_page(EXPERIMENTS).button]


def test_a_search_on_the_cluster_from_launch_to_stop(
    open_page: OpenPage, workspace: Workspace, server: KatibServer
) -> None:
    app = open_page(SEARCH)
    set_space(app)
    app.number_input(key=key(app, "max_trials")).set_value(200).run()
    app.selectbox(key=key(app, "algorithm")).set_value("random").run()
    on_cluster(app)
    assert not app.error
    settings = ClusterSettings.from_environment()
    assert settings.claim in said(app)
    assert "each trial runs as a job" in said(app)
    assert app.button(key="search-measure").label == "Measure on this machine"
    assert "the time of this machine, not of the cluster" in app.button(key="search-measure").help
    assert server.requests == [], "choosing asks nobody"
    app.button(key="search-launch").click().run()
    assert not app.exception
    assert not app.error

    app = open_page("pages/machine_room.py", experiment="my-table")
    rerun_until(app, lambda page: any("Trial table" in heading.value for heading in page.subheader))
    engines = Engines(workspace)
    record = wait_until(lambda: engines.sync("my-table"), lambda found: found.counts[TrialState.SUCCEEDED] >= 2)
    assert (record.experiment.engine, record.state) == ("kubeflow", ExperimentState.RUNNING)
    app.run()
    assert not app.error
    app.button(key="experiment-my-table-stop").click().run()
    stopped = wait_until(lambda: engines.sync("my-table"), lambda found: not found.state.is_active())
    assert stopped.state is ExperimentState.STOPPED
    assert server.objects.get("experiments", "my-table") is None
    app.run()
    assert any("It was stopped" in info.value for info in app.info)

    table = open_page(EXPERIMENTS).dataframe[0].value
    assert table["Runs on"].tolist() == ["Kubeflow"]


@pytest.mark.usefixtures("server")
def test_what_katib_refuses_is_said_beside_its_field(open_page: OpenPage) -> None:
    app = open_page(SEARCH)
    set_space(app, QUICK.replace("learning_rate, kind: double", "batch_size, kind: int").replace("1.0e-3", "8")
              .replace("1.0e-2", "64").replace("3.0e-3", "32").replace("scale: log, ", ""))  # fmt: skip
    app.selectbox(key=key(app, "algorithm")).set_value("grid").run()
    app.number_input(key=key(app, "max_trials")).set_value(100).run()
    assert not app.button(key="search-launch").disabled, "on this machine, a grid is over once all of it was tried"
    on_cluster(app)
    assert "Katib refuses 100 trials of a grid that has 57 points" in said(app)
    assert "how to search" in said(app)
    assert app.button(key="search-launch").disabled
    app.number_input(key=key(app, "max_trials")).set_value(57).run()
    assert not app.button(key="search-launch").disabled


def test_a_workspace_that_trials_do_not_see_is_copied_to_them(
    open_page: OpenPage, server: KatibServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GWAS_KUBEFLOW_MOUNT_PATH", "/elsewhere")
    app = on_cluster(open_page(SEARCH))
    assert "The claim is not the volume of this dashboard's workspace" in said(app)
    assert "a pod is made that copies the data to the claim, and the results back" in said(app)
    assert not app.button(key="search-launch").disabled
    monkeypatch.setenv("GWAS_KUBEFLOW_NAMESPACE", "Not A Name")
    assert "Namespace must be" in said(app.run())
    app.radio(key=key(app, "engine")).set_value("local").run()
    assert not app.error
    assert not app.button(key="search-launch").disabled
    assert server.requests == []


def states(app: AppTest) -> dict[str, str]:
    rows = zip(findings(app), app.table[0].value["State"], strict=True)
    return {found.split("**")[1]: state.replace("\u00a0", " ") for found, state in rows}


def findings(app: AppTest) -> list[str]:
    return [found.replace("\\", "") for found in app.table[0].value["Found, and what to do"]]


def test_the_preflight_is_made_when_it_is_asked_for(open_page: OpenPage, server: KatibServer) -> None:
    server.namespace_labels.clear()
    server.denied.add(("create", "experiments"))
    app = on_cluster(open_page(SEARCH))
    assert not app.table
    app.button(key="cluster-check").click().run()
    assert not app.exception
    found = states(app)
    assert found["Katib"] == "✓ ok"
    assert (found["Metrics collection"], found["Permissions"]) == ("✗ failed", "✗ failed")
    assert "kubectl label namespace team katib.kubeflow.org/metrics-collector-injection=enabled" in "".join(
        findings(app)
    )
    asked = len(server.requests)
    server.denied.clear()
    app.run()
    assert states(app) == found
    assert len(server.requests) == asked, "a rerun asks nobody"
    app.button(key="cluster-check").click().run()
    assert states(app)["Permissions"] == "✓ ok"


def test_a_cluster_that_does_not_answer(open_page: OpenPage, workspace: Workspace, server: KatibServer) -> None:
    app = open_page(SEARCH)
    set_space(app)
    app.selectbox(key=key(app, "algorithm")).set_value("random").run()
    on_cluster(app)
    with server.outage():
        app.button(key="cluster-check").click().run()
        assert states(app) == {"Kubernetes API": "✗ failed"}
        assert "refused" in findings(app)[0]
        app.button(key="search-launch").click().run()
        assert "does not answer" in app.error[0].value
    assert Engines(workspace).experiments() == (), "what did not start has not taken the name"
    # The answer that says it was created is lost: what is there is taken back.
    creations = iter(range(9))
    server.faults.append(
        Fault(
            drop=True,
            after=True,
            match=lambda method, path: method == "POST" and path.endswith("/experiments") and next(creations) == 1,
        )
    )
    app.button(key="search-launch").click().run()
    assert "does not answer" in app.error[0].value
    assert not server.faults
    assert server.objects.get("experiments", "my-table") is None
    app.button(key="search-launch").click().run()
    assert not app.error
    Engines(workspace).stop("my-table")


def test_an_experiment_made_elsewhere_is_opened(open_page: OpenPage, workspace: Workspace, server: KatibServer) -> None:
    app = open_page(EXPERIMENTS)
    assert server.requests == []
    app.button(key="cluster-look").click().run()
    assert "no other experiments than those listed here" in said(app)
    with server.outage():
        app.button(key="cluster-look").click().run()
        assert "does not answer" in app.error[0].value
    manifest = external_manifest("'sleep 1; echo loss=${trialParameters.rate}'", maxTrialCount=100)
    connect(ClusterSettings.from_environment()).create("experiments", manifest)
    app.button(key="cluster-look").click().run()
    assert app.selectbox(key="cluster-experiment").options == ["theirs"]
    app.button(key="cluster-open").click().run()
    assert not app.exception
    assert not app.error
    record = wait_until(lambda: Engines(workspace).sync("theirs"), lambda found: bool(found.trials))
    assert record.experiment.engine == "kubeflow"
    app = open_page("pages/machine_room.py", experiment="theirs")
    app.button(key="experiment-theirs-stop").click().run()
    assert "was made elsewhere and is only shown here" in said(app)
