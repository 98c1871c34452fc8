"""The report as one HTML page that needs no network: data in, text out, in a command or in a function."""

from .page import Exemption, Incident, ReportPage, Run, Secret, Tally, TimelineEntry
from .render import render_page

__all__ = ["Exemption", "Incident", "ReportPage", "Run", "Secret", "Tally", "TimelineEntry", "render_page"]
