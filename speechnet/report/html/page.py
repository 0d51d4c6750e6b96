"""The report of one run as a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain

from speechnet.report.data import ReportData
from speechnet.report.figure import Drawing, drawings_of
from speechnet.report.html.environment import environment
from speechnet.report.html.mistakes import clips_in_words, mistakes, why_none
from speechnet.report.html.overview import overview
from speechnet.report.html.parts import Picture
from speechnet.report.html.provenance import provenance
from speechnet.report.html.sections import Section, sections
from speechnet.report.html.svg import inline_svg


@dataclass(frozen=True, kw_only=True)
class Attachments:
    """The files of a run folder that a page holds.

    Attributes:
        figures: the SVG of each figure by its file's stem.
        clips: the bytes of each MP3 that the table of mistakes names.
        pictures: the SVG of each picture that it names.
        checksums: the sum of each file in ``SHA256SUMS``.
    """

    figures: Mapping[str, str] = field(default_factory=dict)
    clips: Mapping[str, bytes] = field(default_factory=dict)
    pictures: Mapping[str, str] = field(default_factory=dict)
    checksums: Mapping[str, str] = field(default_factory=dict)


def page(data: ReportData, files: Attachments) -> str:
    """Write the whole page.

    Args:
        data: the run.
        files: what it shows besides tables.

    Returns:
        HTML that needs no other file and no network.

    Raises:
        DataError: a figure or a table of the run is damaged.
    """
    left = _Left(data, files.figures)
    every = sections(data, left.take)
    if more := left.take():
        lead = "Figures that belong to no other section."
        every.append(Section("more", "More", "More", lead, more))
    template = environment().get_template("report.html.j2")
    return template.render(
        experiment=str(data.info.get("experiment", "experiment")),
        finished=str(data.info.get("finished") or ""),
        overview=overview(data),
        drawn=bool(files.figures),
        sections=every,
        mistakes=mistakes(data, files.clips, files.pictures),
        why_none=why_none(data),
        heard=clips_in_words(data) if files.clips else "",
        provenance=provenance(data, files.checksums),
    )


class _Left:
    """The figures that aren't shown yet."""

    def __init__(self, data: ReportData, svgs: Mapping[str, str]) -> None:
        order = [*data.targets]
        every = chain.from_iterable(drawings_of(data).values())
        there = [drawing for drawing in every if drawing.file in svgs]
        # Those of one target together; those of none behind them.
        self._left = sorted(there, key=lambda each: [*order, each.target].index(each.target))
        self._svgs = svgs

    def take(self, section: str | None = None) -> list[Picture]:
        """Those of a section, or all."""
        taken = [each for each in self._left if section in {None, each.section}]
        self._left = [each for each in self._left if each not in taken]
        return [self._picture(each) for each in taken]

    def _picture(self, drawing: Drawing) -> Picture:
        """The caption is the text alternative too."""
        svg = inline_svg(self._svgs[drawing.file], name=drawing.title, description=drawing.caption)
        return Picture(svg, drawing.caption)
