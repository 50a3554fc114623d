"""Put text and times from outside into labels, captions and messages: escaped Markdown, times to the minute."""

from __future__ import annotations

from datetime import UTC, datetime

from gwas_core.report.markdown import markdown_text as markdown_text


def moment(time: str) -> str:
    """Return a time of a record (ISO 8601, UTC) to the minute: ``2026-03-01 12:30 UTC``.

    Args:
        time: ISO 8601, with its zone.
    """
    return f"{datetime.fromisoformat(time).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
