"""The report of one run as a page."""

from __future__ import annotations

from speechnet.report.html.environment import environment
from speechnet.report.html.mistakes import heard, mistakes, why_none
from speechnet.report.html.overview import overview
from speechnet.report.html.section_classes import confusion_section
from speechnet.report.html.section_data import corpus_section, provenance
from speechnet.report.html.section_learning import learning_section
from speechnet.report.html.section_models import models_section
from speechnet.report.html.section_parts import parts_section
from speechnet.report.html.section_people import clusters_section, people_section
from speechnet.report.report_data import ReportData


def page(report_data: ReportData) -> str:
    """Write the whole page.

    Args:
        report_data: the run.

    Returns:
        HTML that needs no other file and no network.

    Raises:
        DataError: a figure or a table of the run is damaged.
    """
    template = environment().get_template("report.html.j2")
    return template.render(
        experiment=str(report_data.info.get("experiment", "experiment")),
        finished=str(report_data.info.get("finished") or ""),
        overview=overview(report_data),
        drawn=bool(report_data.figures),
        sections=[
            corpus_section(report_data),
            models_section(report_data),
            confusion_section(report_data),
            learning_section(report_data),
            people_section(report_data),
            clusters_section(report_data),
            parts_section(report_data),
        ],
        mistakes=mistakes(report_data),
        why_none=why_none(report_data),
        heard=heard(report_data),
        provenance=provenance(report_data),
    )
