"""The page: Gradio's recorder and upload, and around them HTML of this package's templates."""

from __future__ import annotations

import json
from functools import partial
from typing import Any, Final, Literal

import gradio

from speechnet.core.wording import counted
from speechnet.evaluation.selection import Choice
from speechnet.experiment.saved_run import SavedRun
from speechnet.report.html.environment import environment
from speechnet.report.names import interval_words, percent
from speechnet.report.scores import find_score
from speechnet.serve.limits import Limits

_WAIT: Final = "(shown, ...sounds) => sounds.some(Boolean) ? {listening} : shown"
"""JavaScript: with a new recording or upload the last result is no longer shown."""
_ASK: Final = """
async (shown, ...sounds) => {{
    const sound = sounds.find(Boolean);
    if (!sound) return [shown, ...sounds];
    const answer = await fetch("answer", {{method: "POST", body: sound.path}}).catch(() => null);
    return [answer?.ok ? await answer.text() : {failed}, ...sounds.map(() => null)];
}}
"""
"""JavaScript: only the name of an upload goes to the server, and its answer clears both sources."""


def about(run: SavedRun, best: Choice) -> dict[str, Any]:
    """What the page says of a run.

    Returns:
        run: the experiment's name and version; corpus, protocol, interval and chosen, in words;
        scores: by model and target the test UAR with its interval, in per cent, as text; labels:
        what models are called; best: the best model; chance: by target the UAR of guessing;
        calibrated: whether probabilities are; synthetic: whether ``all``, ``some`` or ``none`` of
        the training speech was made by a program.

    Raises:
        DataError: the run folder is damaged.
    """
    info, data = run.folder.info, run.config.data
    corpus, path = info["corpus"], run.folder.path.absolute()
    scores = run.folder.read_table("scores.csv")
    uar = partial(find_score, scores, part="test", metric="uar")
    made = {corpus.name == "synthetic" for corpus in data.corpora or [data.corpus]}
    return {
        "run": f"{path.parent.name}/{path.name}",
        "corpus": (
            f"{corpus['name']}: {counted(corpus['recordings'], 'recording')} of "
            f"{counted(corpus['speakers'], 'speaker')}"
        ),
        "protocol": info["protocol"],
        "scores": {
            model: {target: uar(model=model, target=target).text() for target in run.targets}
            for model in run.models
        },
        "best": best.model,
        "labels": run.folder.labels,
        "chosen": best.reason,
        "chance": {target: percent(1 / len(classes)) for target, classes in run.targets.items()},
        "interval": interval_words(info.get("unit")),
        "calibrated": run.config.evaluation.calibrate,
        "synthetic": "some" if len(made) == 2 else "all" if True in made else "none",
    }


def build(summary: dict[str, Any], *, limits: Limits) -> gradio.Blocks:
    """Lay the page out.

    Args:
        summary: as ``about`` has it.
        limits: stated on the page.
    """
    failed = render(
        "problem.html.j2", title="No answer", text="The server is busy or has ended. Try again."
    )
    wait = _WAIT.format(listening=json.dumps(render("listening.html.j2")))
    ask = _ASK.format(failed=json.dumps(failed))
    blocks: gradio.Blocks
    with gradio.Blocks(title=f"{summary['run']}, heard", analytics_enabled=False) as blocks:
        gradio.HTML(render("about.html.j2", about=summary), elem_id="about", padding=False)
        with gradio.Row(equal_height=True, elem_id="sources"):
            sources = [_source("microphone", "Record"), _source("upload", "Upload")]
        gradio.HTML(render("privacy.html.j2", limits=limits), elem_id="privacy", padding=False)
        result = gradio.HTML(render("nothing.html.j2"), elem_id="result", padding=False)
        everything = [result, *sources]
        for source in sources:
            waiting = source.input(None, everything, [result], js=wait)
            waiting.then(None, everything, everything, js=ask)
    return blocks


def _source(kind: Literal["microphone", "upload"], label: str) -> gradio.Audio:
    return gradio.Audio(
        sources=[kind],
        type="filepath",
        label=label,
        editable=False,
        elem_id=kind,
        buttons=[],
    )


def render(template: str, **values: object) -> str:
    """A filled template: values are escaped, and a name that has no value is an error."""
    return environment("speechnet.serve").get_template(template).render(values)
