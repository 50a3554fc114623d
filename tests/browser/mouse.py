"""What a hand does with parallel coordinates, and what a page then shows of it."""

from __future__ import annotations

from playwright.sync_api import Page

PLOT = '.gwas-live-plot[aria-label^="Parallel"]'
AXIS = f"""name => {{
  const axis = [...document.querySelectorAll('{PLOT} .y-axis')].find((entry) => entry.__data__.label === name);
  const line = axis.querySelector('.axis-brush .background').getBoundingClientRect();
  const title = axis.querySelector('.axis-title').getBoundingClientRect();
  return {{x: line.x + line.width / 2, y: line.y, height: line.height,
          titleX: title.x + title.width / 2, titleY: title.y + title.height / 2}};
}}"""
# What plotly draws: the ranges of a dimension after its defaults were applied.
BRUSH = f"""name => {{
  const graph = document.querySelector('{PLOT} .js-plotly-plot');
  const index = graph?._fullData?.[0]?.dimensions.findIndex((entry) => entry.name === name) ?? -1;
  const range = index >= 0 ? graph._fullData[0].dimensions[index].constraintrange : undefined;
  return !range ? [] : Array.isArray(range[0]) ? range : [range];
}}"""


def wait_for_plot(page: Page) -> None:
    """The plot is drawn."""
    page.locator(f'{PLOT}[aria-busy="false"] .y-axis').first.wait_for()


def drag_along(page: Page, axis_title: str, *, top: float, bottom: float) -> None:
    """Drag the mouse along an axis, between shares of its height counted from above."""
    page.locator(PLOT).scroll_into_view_if_needed()
    axis = page.evaluate(AXIS, axis_title)
    page.mouse.move(axis["x"], axis["y"] + axis["height"] * top)
    page.mouse.down()
    page.mouse.move(axis["x"], axis["y"] + axis["height"] * bottom, steps=6)
    page.mouse.up()


def wait_for_brush(page: Page, name: str, ends: tuple[float, float]) -> None:
    """The axis of a parameter, which has a logarithmic scale, is brushed between just these values."""
    page.wait_for_function(
        f"""([name, ends]) => {{
          const ranges = ({BRUSH})(name);
          return ranges.length === 1 && ranges[0].every((end, i) => Math.abs(10 ** end / ends[i] - 1) < 1e-6);
        }}""",
        arg=[name, list(ends)],
    )
