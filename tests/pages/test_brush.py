from __future__ import annotations

import json
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

import ui.url
from gwas_core.report.parallel_coordinates import AXES_SHOWN

LINK = "learning_rate~1e-4..1e-3"


def page(count: int, preset: str | None, all_succeed: bool, importance: dict[str, float] | None) -> None:
    import streamlit as st

    from tests.report.made_records import searched_record
    from ui.brush import trial_brush

    record = searched_record(count, preset=preset, all_succeed=all_succeed)
    brushed = trial_brush(record, key="trials", importance=importance)
    st.text(" ".join(str(trial.number) for trial in brushed.trials))
    st.text("; ".join(entry.describe() for entry in brushed.filters))


def opened(
    *,
    link: str = "",
    count: int = 40,
    preset: str | None = None,
    all_succeed: bool = True,
    importance: dict[str, float] | None = None,
) -> AppTest:
    app = AppTest.from_function(page, args=(count, preset, all_succeed, importance))
    if link:
        app.query_params["brush"] = link
    app.run()
    assert not app.exception
    return app


def drawn(app: AppTest) -> dict[str, Any]:
    """The dimensions of the plot by name."""
    (element,) = app.get("bidi_component")
    figure = json.loads(json.loads(element.proto.json)["figure"])
    return {dimension["name"]: dimension for dimension in figure["data"][0]["dimensions"]}


def chip_keys(app: AppTest) -> list[str]:
    return [button.key for button in app.button if button.key and "-chip-" in button.key]


def test_without_a_filter_all_trials_pass() -> None:
    app = opened()
    assert app.markdown[0].value == "40 trials"
    assert len(app.text[0].value.split()) == 40
    assert chip_keys(app) == []
    assert all("constraintrange" not in dimension for dimension in drawn(app).values())


def test_a_link_restores_filters_chips_and_brushes() -> None:
    app = opened(link=f"{LINK}~~batch_size~16~128")
    assert app.text[1].value == "learning_rate 1e-4 … 1e-3; batch_size 16, 128"
    assert chip_keys(app) == ["trials-made-chip-learning_rate", "trials-made-chip-batch_size"]
    dimensions = drawn(app)
    assert dimensions["learning_rate"]["constraintrange"] == [[-4, -3]]
    assert dimensions["batch_size"]["constraintrange"] == [[-0.25, 0.25], [2.75, 3.25]]
    passed = len(app.text[0].value.split())
    assert 0 < passed < 40
    assert app.markdown[0].value == f"{passed} of 40 trials"


def test_a_chip_takes_its_filter_away_and_clear_all_takes_the_rest() -> None:
    app = opened(link=f"{LINK}~~batch_size~16~128~~dropout_rate~..0.5")
    app.button(key="trials-made-chip-batch_size").click().run()
    assert app.query_params["brush"] == "learning_rate~1e-4..1e-3~~dropout_rate~..0.5"
    assert "constraintrange" not in drawn(app)["batch_size"]
    app.button(key="trials-made-clear").click().run()
    assert "brush" not in app.query_params
    assert app.markdown[0].value == "40 trials"


def test_an_address_from_before_the_last_change_brings_nothing_back_and_loses_nothing() -> None:
    app = opened(link=LINK)
    app.button(key="trials-made-chip-learning_rate").click().run()
    app.query_params["brush"] = LINK  # as the browser had it when it asked for a refresh
    app.run()
    assert app.markdown[0].value == "40 trials"
    assert "brush" not in app.query_params
    for number, name in enumerate(("dropout_rate", "linear_l2"), 1):
        app.query_params.clear()
        app.selectbox(key="trials-made-by").set_value(name).run()
        app.query_params.clear()
        app.number_input(key=f"trials-made-{name}-from").set_value(0.1)
        app.button(key="trials-made-apply").click().run()
        assert len(chip_keys(app)) == number
    assert app.query_params["brush"] == "dropout_rate~0.1..~~linear_l2~0.1.."


def test_an_address_that_changes_later_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ui.url, "_FOLLOWS_WITHIN", -1.0)
    app = opened(link=LINK)
    app.button(key="trials-made-chip-learning_rate").click().run()
    app.query_params["brush"] = "dropout_rate~0.1.."
    app.run()
    assert app.text[1].value == "dropout_rate ≥ 0.1"


@pytest.mark.parametrize(
    "link", ["no_such~1..2", "<script>alert(1)</script>", "loss~huber", "learning_rate~2..1", "~~~~"]
)
def test_a_link_that_means_nothing_is_noted_and_ignored(link: str) -> None:
    app = opened(link=link)
    assert app.warning
    assert "ignored" in app.warning[0].value
    assert "<script>" not in app.warning[0].value
    assert app.markdown[0].value == "40 trials"


def test_what_is_not_drawn_and_what_is_the_same_everywhere_is_said() -> None:
    app = opened(all_succeed=False)
    note = app.caption[0].value.replace("\\", "")
    assert "Not drawn: 5 stopped early, 3 failed, 1 not finished." in note
    assert "The same in all trials: network hybrid" in note
    app.toggle(key="trials-made-pruned").set_value(True).run()
    assert "stopped early" not in app.caption[0].value


def test_with_many_parameters_the_most_important_are_shown_until_others_are_chosen() -> None:
    app = opened(preset="tutorial", importance={"epochs": 0.9, "loss": 0.5})
    assert len(drawn(app)) == AXES_SHOWN + 1
    assert {"epochs", "loss"} <= set(drawn(app))
    (axes,) = app.multiselect
    assert len(axes.value) == AXES_SHOWN + 1
    axes.set_value(["loss", "val_mean_absolute_error", "epochs"]).run()
    assert list(drawn(app)) == ["loss", "val_mean_absolute_error", "epochs"]
    app.run()
    assert list(drawn(app)) == ["loss", "val_mean_absolute_error", "epochs"]
    app.button(key="trials-made-most-important").click().run()
    assert len(drawn(app)) == len(app.multiselect[0].value) == AXES_SHOWN + 1


def test_a_filtered_parameter_is_an_axis_although_it_was_not_chosen() -> None:
    app = opened(preset="tutorial", link="epochs~3..9")
    assert list(drawn(app))[-1] == "epochs"


def test_filters_are_made_without_a_mouse() -> None:
    app = opened()
    app.number_input(key="trials-made-learning_rate-from").set_value(1e-4)
    app.number_input(key="trials-made-learning_rate-to").set_value(1e-3)
    app.button(key="trials-made-apply").click().run()
    assert app.query_params["brush"] == LINK
    app.selectbox(key="trials-made-by").set_value("batch_size").run()
    app.multiselect(key="trials-made-batch_size-values").set_value([16, 64])
    app.button(key="trials-made-apply").click().run()
    assert app.text[1].value == "learning_rate 1e-4 … 1e-3; batch_size 16, 64"
    app.selectbox(key="trials-made-by").set_value("conv_filters").run()
    app.number_input(key="trials-made-conv_filters-from").set_value(9)
    app.number_input(key="trials-made-conv_filters-to").set_value(3)
    app.button(key="trials-made-apply").click().run()
    assert "must not begin above its end" in app.error[0].value.replace("\\", "")
    assert app.text[1].value == "learning_rate 1e-4 … 1e-3; batch_size 16, 64"


@pytest.mark.parametrize("count", [0, 1])
def test_an_experiment_without_results_says_what_will_come(count: int) -> None:
    app = opened(count=count, all_succeed=False, link=LINK)
    assert "becomes a curve here" in app.info[0].value
    assert chip_keys(app) == ["trials-made-chip-learning_rate"]
