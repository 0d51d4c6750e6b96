"""The report of one run as a page."""

from __future__ import annotations

from speechnet.report.page.environment import environment
from speechnet.report.page.material import Material
from speechnet.report.page.mistakes import heard, mistakes, why_none
from speechnet.report.page.overview import overview
from speechnet.report.page.section_classes import confusion_section
from speechnet.report.page.section_data import corpus_section, provenance
from speechnet.report.page.section_learning import learning_section
from speechnet.report.page.section_models import models_section
from speechnet.report.page.section_parts import parts_section
from speechnet.report.page.section_people import clusters_section, people_section


def page(material: Material) -> str:
    """Write the whole page.

    Args:
        material: the run.

    Returns:
        HTML that needs no other file and no network.

    Raises:
        DataError: a figure or a table of the run is damaged.
    """
    template = environment().get_template("report.html.j2")
    return template.render(
        experiment=str(material.info.get("experiment", "experiment")),
        finished=str(material.info.get("finished") or ""),
        overview=overview(material),
        drawn=bool(material.figures),
        sections=[
            corpus_section(material),
            models_section(material),
            confusion_section(material),
            learning_section(material),
            people_section(material),
            clusters_section(material),
            parts_section(material),
        ],
        mistakes=mistakes(material),
        why_none=why_none(material),
        heard=heard(material),
        provenance=provenance(material),
    )
