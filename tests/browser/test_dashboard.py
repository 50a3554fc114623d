"""The whole app, as a person opens it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from gwas_core.tuning.experiment import ExperimentState
from gwas_core.tuning.local import LocalEngine
from gwas_core.workspace import Workspace
from tests.browser.conftest import REPOSITORY, NewPage, StartServer
from tests.tuning.quick_experiments import quick_experiment, quick_model, quick_workspace, wait_until

TABS = ("Data", "Loci", "Train", "Answer", "Predict")
MOVED = {"search": "train", "experiment": "machine-room", "association": "loci", "model": "answer"}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One finished experiment."""
    workspace, dataset = quick_workspace(tmp_path_factory.mktemp("workspace"))
    engine = LocalEngine(workspace)
    with quick_model():
        engine.start(quick_experiment(dataset))
    wait_until(lambda: engine.sync("quick"), lambda record: record.state.is_finished())
    return workspace.root


def test_a_deep_link_is_a_whole_app_from_the_first_visit_on(
    workspace: Path, start_server: StartServer, new_page: NewPage
) -> None:
    server = start_server(REPOSITORY / "app.py", environment={"GWAS_WORKSPACE": str(workspace)})
    page = new_page(width=1440)
    page.goto(f"{server.url}/machine-room?experiment=quick")
    expect(page.get_by_role("heading", name="Machine room", exact=True)).to_be_visible()
    expect(page.get_by_text("4 of 4 trials").first).to_be_visible()
    # Wide, as app.py sets it.
    box = page.get_by_test_id("stMainBlockContainer").bounding_box()
    assert box is not None
    assert box["width"] > 1000
    main = page.get_by_test_id("stMain")
    for name in TABS:
        main.get_by_role("link", name=name).first.click()
        expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
        expect(page).to_have_url(re.compile(f"/{name.lower()}\\?.*study="))
    for old, new in MOVED.items():
        page.goto(f"{server.url}/{old}?experiment=quick")
        expect(page).to_have_url(re.compile(f"/{new}\\?.*experiment=quick"))
    main.get_by_role("link", name="Studies").click()
    expect(page.get_by_role("heading", name="Deep GWAS", exact=True)).to_be_visible()
    assert page.get_by_test_id("stException").count() == 0


@pytest.mark.timeout(3600)
def test_on_the_first_start_a_demo_is_tuning_once(tmp_path: Path, start_server: StartServer, new_page: NewPage) -> None:
    environment = {"GWAS_WORKSPACE": str(tmp_path), "GWAS_NO_DEMO": "0"}
    servers = [start_server(REPOSITORY / "app.py", environment=environment) for _ in range(2)]
    pages = [new_page(), new_page()]
    engine = LocalEngine(Workspace(tmp_path))
    try:
        for server, page in zip(servers, pages, strict=True):
            page.goto(f"{server.url}/experiments")
        for page in pages:
            expect(page.get_by_text("tunes a network on simulated soybean lines")).to_be_visible()
            stop = page.get_by_test_id("stMain").get_by_role("button", name="Stop")
            # It runs; on a busy machine it may be over before the second page is drawn.
            wait_until(
                lambda: engine.experiments()[0],
                lambda demo, button=stop: button.is_enabled() or demo.state is ExperimentState.SUCCEEDED,
            )
        assert [summary.name for summary in engine.experiments()] == ["demo"]
    finally:
        if any(summary.state.is_active() for summary in engine.experiments()):
            engine.stop("demo")
    engine.delete("demo")
    third = start_server(REPOSITORY / "app.py", environment=environment)
    for page, url in ((pages[0], third.url), (pages[1], servers[1].url)):
        page.goto(f"{url}/experiments")
        expect(page.get_by_text("There are no experiments yet")).to_be_visible()
        expect(page.get_by_test_id("stAlert")).to_have_count(0)
    assert engine.experiments() == ()


def test_a_workspace_that_cannot_be_used_is_a_sentence(
    tmp_path: Path, start_server: StartServer, new_page: NewPage
) -> None:
    (tmp_path / "file").touch()
    environment = {"GWAS_WORKSPACE": str(tmp_path / "file" / "workspace"), "GWAS_NO_DEMO": "0"}
    page = new_page()
    page.goto(start_server(REPOSITORY / "app.py", environment=environment).url)
    expect(page.get_by_test_id("stAlert")).to_contain_text("The store of experiments cannot be opened")
    assert page.get_by_test_id("stException").count() == 0
