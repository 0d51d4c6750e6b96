"""Starts the demo, and ends it without a trace."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from speechnet.console.messages import output, say
from speechnet.console.progress import working
from speechnet.core.errors import ConfigError
from speechnet.core.scratch import temporary_folder
from speechnet.experiment.run_location import read_info
from speechnet.serve.limits import Limits

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_FONTS: Final = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Arial", "sans-serif"]
"""The system's: none is fetched from anywhere."""
_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
_CONNECTIONS: Final = 200
"""Open connections, above which new ones are turned away."""
_GRACE_S: Final = 3
"""Seconds that running requests get when the server ends."""
_NO_REPORTS: Final = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    # torchmetrics imports onnxruntime where there is one, which reports that to its makers.
    "ORT_DISABLE_TELEMETRY": "1",
}
"""Keeps libraries from reporting their use to anybody."""


def serve(run_path: Path, *, limits: Limits, host: str, port: int) -> None:
    """Show a run in the browser until the process is told to end.

    Args:
        run_path: the run folder.
        limits: how much is accepted.
        host: the address to listen on.
        port: of TCP; 0 for any that is free.

    Raises:
        ConfigError: Gradio is missing, the address can't be listened on,
            or the run can't take a recording by itself.
        DataError: the run is incomplete or damaged.
    """
    if find_spec("gradio") is None:
        raise ConfigError("the demo needs Gradio: pip install 'speechnet[serve]'")
    with _listening(host, port) as listener, _private_environment():
        read_info(run_path)  # before what takes seconds to import
        hosts = [*_LOOPBACK, host] if is_loopback(host) else []
        with working("loading the models"):
            app = _application(run_path, limits=limits, hosts=hosts)
            gc.collect()
            gc.freeze()  # what is loaded stays loaded: no collection need visit it
        if not hosts:
            say(
                f"Whoever reaches {host} can use this: there is no password. Browsers let a page "
                "use the microphone only over https or on the machine itself.",
                style="yellow",
            )
        _run(app, listener)


def is_loopback(host: str) -> bool:
    """Whether nobody but the users of this machine can reach an address."""
    return host in {*_LOOPBACK, "::1"} or host.startswith("127.")


def _listening(host: str, port: int) -> socket.socket:
    """A socket, bound before models are loaded, so that a taken port shows at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(
            f"can't listen on {host}, port {port} ({why}): give another by --port or --host"
        ) from error


def url_of(listener: socket.socket) -> str:
    """The URL of what listens on a socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


@contextmanager
def _private_environment() -> Iterator[None]:
    """Gradio's settings: reports to nobody, and a folder that is removed at the end."""
    before = dict(os.environ)
    with temporary_folder() as name:
        # Settings for other programs that use Gradio don't count here.
        for key in [key for key in before if key.startswith("GRADIO_")]:
            del os.environ[key]
        os.environ |= _NO_REPORTS | {"GRADIO_TEMP_DIR": name}
        try:
            yield
        finally:
            os.environ.clear()
            os.environ |= before


def _application(run_path: Path, *, limits: Limits, hosts: Sequence[str]) -> ASGIApp:
    """Build the page and recognise something, so that nobody waits for one-time work."""
    # Here, where the environment is set for what it imports.
    import fastapi
    import gradio

    from speechnet.experiment.saved_run import SavedRun
    from speechnet.inference.predictor import Predictor
    from speechnet.report.html.svg import COLOURS
    from speechnet.serve.guard import guarded
    from speechnet.serve.page import about, build, render
    from speechnet.serve.recognition import UploadRecogniser
    from speechnet.serve.uploads import Uploads

    run = SavedRun(run_path)
    predictor = Predictor(run, model="all")
    predictor.check_alone()
    best = run.best()
    recogniser = UploadRecogniser(predictor, best=best.model, limits=limits)
    recogniser.rehearse()
    page = partial(render, "recognition.html.j2", best=best.model, labels=run.folder.labels)
    uploads = Uploads(lambda content: page(recognition=recogniser.recognise(content)), limits)

    @asynccontextmanager
    async def lifespan(_: fastapi.FastAPI) -> AsyncIterator[None]:
        yield
        uploads.close()

    light, dark = COLOURS["#FFFFFF"]  # pictures have no edges on the page
    app = fastapi.FastAPI(routes=uploads.routes(), lifespan=lifespan, openapi_url=None)
    gradio.mount_gradio_app(
        app,
        build(about(run, best), limits=limits),
        path="/",
        footer_links=[],
        max_file_size=limits.upload_bytes,
        ssr_mode=False,
        theme=gradio.themes.Base(font=_FONTS, font_mono=["ui-monospace", "monospace"]).set(
            body_background_fill=light, body_background_fill_dark=dark
        ),
        css_paths=[Path(__file__).with_name("templates") / "page.css"],
    )
    return guarded(app, hosts=hosts, upload_bytes=limits.upload_bytes)


def _run(app: ASGIApp, listener: socket.socket) -> None:
    """Serve until a signal, which is raised again afterwards."""
    import uvicorn

    log = logging.getLogger("uvicorn.error")
    log.setLevel(logging.ERROR)  # requests that are no HTTP are not worth a word
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # nor are broken forms
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="on",
        http="h11",  # which bounds the headers
        ws="none",
        proxy_headers=False,
        server_header=False,
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=_GRACE_S,
    )

    class Announcing(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            say(f"The demo is at {url_of(listener)} (Ctrl-C ends it)", to=output)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            log.setLevel(logging.CRITICAL)  # requests may be broken off now
            await super().shutdown(sockets)

    asyncio.run(Announcing(config).serve(sockets=[listener]))
