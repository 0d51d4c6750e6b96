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
from speechnet.report.html.sections import sections
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
    """The whole page: HTML that needs no other file and no network.

    Raises:
        DataError: a figure or a table of the run is damaged.
    """
    every = chain.from_iterable(drawings_of(data).values())
    left = [drawing for drawing in every if drawing.file in files.figures]
    # Those of one target together; those of none behind them.
    left.sort(key=lambda each: [*data.targets, each.target].index(each.target))

    def take(section: str) -> list[Picture]:
        """The figures of a section, which then are no longer left."""
        taken = [each for each in left if each.section == section]
        left[:] = [each for each in left if each.section != section]
        return [_picture(each, files.figures) for each in taken]

    return (
        environment()
        .get_template("report.html.j2")
        .render(
            experiment=str(data.info.get("experiment", "experiment")),
            finished=str(data.info.get("finished") or ""),
            overview=overview(data),
            fair=data.best is not None and data.best.fair,
            drawn=bool(files.figures),
            items=sections(data, take),
            more=[_picture(each, files.figures) for each in left],
            mistakes=mistakes(data, files.clips, files.pictures),
            why_none=why_none(data),
            heard=clips_in_words(data) if files.clips else "",
            provenance=provenance(data, files.checksums),
        )
    )


def _picture(drawing: Drawing, svgs: Mapping[str, str]) -> Picture:
    """The caption is the text alternative too."""
    svg = svgs[drawing.file]
    image = inline_svg(svg, name=drawing.title, description=drawing.caption)
    return Picture(image, drawing.caption)
